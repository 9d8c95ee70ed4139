//! The program as a person uses it, and the library as a whole: one binary, so that Arrow is linked once.
//!
//! `tests/allocation.rs` counts with an allocator of its own and is apart for that reason.

mod afterwards;
mod book;
mod ch6;
mod columns;
mod command_line;
mod common;
mod composition;
mod corpus;
mod data;
mod format;
mod instructions;
mod list;
mod mistakes;
mod plan;
mod show;
mod starting;
mod sweep;
mod training;
mod warnings;
