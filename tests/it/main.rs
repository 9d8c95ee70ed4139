//! The program as users call it, and the library as a whole: one binary, so that Arrow is linked only once.
//!
//! `tests/allocation.rs` is separate, as it counts with its own allocator.

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
