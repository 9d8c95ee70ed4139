//! The affine layer: y = xW + b.

use std::ops::Range;

use ndarray::ArrayView2;

use super::parameters::{Layout, Role};
use crate::kernel::{self, Element, Instructions, matrix};

/// Every output is a weighted sum of every input: `x: [rows, inputs]`, `y: [rows, outputs]`, with W: [inputs, outputs] and,
/// where the layer has one, b: [outputs].
#[derive(Debug, Clone)]
pub struct Affine {
    inputs: usize,
    outputs: usize,
    weight: Range<usize>,
    bias: Option<Range<usize>>,
}

impl Affine {
    /// A layer whose parameters follow those that `layout` has.
    pub fn new(name: &str, inputs: usize, outputs: usize, bias: bool, layout: &mut Layout) -> Self {
        let weight = layout.add(name, Role::Weight, &[inputs, outputs]);
        let bias = bias.then(|| layout.add(name, Role::Bias, &[outputs]));
        Self { inputs, outputs, weight, bias }
    }

    /// y = xW + b, and no −0 in it.
    pub fn forward<R: Element>(&self, instructions: Instructions, parameters: &[R], x: &[R], y: &mut [R]) {
        let x = matrix(x, y.len() / self.outputs, self.inputs);
        kernel::product(instructions, x, self.weight(parameters), y);
        if let Some(bias) = &self.bias {
            kernel::add_to_rows(y, &parameters[bias.clone()]);
        }
    }

    /// dW = xᵀ dy, db = the column sums of dy: from the loss's gradient by y, `dy: [rows, outputs]`, to this layer's ranges of
    /// `gradients`.
    pub fn parameter_gradients<R: Element>(&self, instructions: Instructions, x: &[R], dy: &[R], gradients: &mut [R]) {
        let rows = dy.len() / self.outputs;
        let x = matrix(x, rows, self.inputs);
        let dy_rows = matrix(dy, rows, self.outputs);
        kernel::product(instructions, x.reversed_axes(), dy_rows, &mut gradients[self.weight.clone()]);
        if let Some(bias) = &self.bias {
            kernel::column_sums(dy, &mut gradients[bias.clone()]);
        }
    }

    /// dx = dy Wᵀ.
    pub fn input_gradient<R: Element>(&self, instructions: Instructions, parameters: &[R], dy: &[R], dx: &mut [R]) {
        let dy = matrix(dy, dy.len() / self.outputs, self.outputs);
        kernel::product(instructions, dy, self.weight(parameters).reversed_axes(), dx);
    }

    fn weight<'a, R>(&self, parameters: &'a [R]) -> ArrayView2<'a, R> {
        matrix(&parameters[self.weight.clone()], self.inputs, self.outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_rows_by_hand() {
        let mut layout = Layout::default();
        let affine = Affine::new("affine1", 2, 3, true, &mut layout);
        let fastest = Instructions::fastest();
        // W = [[1, 2, 3], [4, 5, 6]], b = [10, 20, 30]
        let parameters = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 10.0, 20.0, 30.0];
        let x = [1.0, 0.0, 2.0, -1.0];

        let mut y = [f64::NAN; 6];
        affine.forward(fastest, &parameters, &x, &mut y);
        assert_eq!(y, [11.0, 22.0, 33.0, 8.0, 19.0, 30.0]);

        let dy = [1.0, 0.0, -1.0, 0.5, 1.0, 0.0];
        let mut gradients = [f64::NAN; 9];
        affine.parameter_gradients(fastest, &x, &dy, &mut gradients);
        assert_eq!(gradients, [2.0, 2.0, -1.0, -0.5, -1.0, 0.0, 1.5, 1.0, -1.0]);

        let mut dx = [f64::NAN; 4];
        affine.input_gradient(fastest, &parameters, &dy, &mut dx);
        assert_eq!(dx, [-2.0, -2.0, 2.5, 7.0]);
    }
}
