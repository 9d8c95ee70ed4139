//! The affine layer: y = xW + b.

use std::ops::Range;

use ndarray::ArrayView2;

use super::activation::Activation;
use super::parameters::{ParameterLayout, ParameterRole};
use crate::kernel::{self, Element, Instructions, MatrixValues, Nonzeros, matrix};

/// Every output is a weighted sum of every input: `x: [rows, inputs]`, `y: [rows, outputs]`, with `W: [inputs,
/// outputs]` and, if the layer has one, `b: [outputs]`.
#[derive(Debug, Clone)]
pub struct Affine {
    inputs: usize,
    outputs: usize,
    weight: Range<usize>,
    bias: Option<Range<usize>>,
    /// Nonzeros of the last forward pass's x.
    x: Nonzeros,
    /// Nonzeros of its transpose.
    x_transposed: Nonzeros,
    /// Nonzeros of the gradient with respect to y.
    dy: Nonzeros,
}

impl Affine {
    /// A layer for at most `rows` rows, which appends its parameters to `layout`.
    pub fn new(
        name: &str,
        inputs: usize,
        outputs: usize,
        bias: bool,
        rows: usize,
        layout: &mut ParameterLayout,
    ) -> Self {
        let weight = layout.add(name, ParameterRole::Weight, &[inputs, outputs]);
        let bias = bias.then(|| layout.add(name, ParameterRole::Bias, &[outputs]));
        Self {
            inputs,
            outputs,
            weight,
            bias,
            x: Nonzeros::with_capacity(rows, inputs),
            x_transposed: Nonzeros::with_capacity(inputs, rows),
            dy: Nonzeros::with_capacity(rows, outputs),
        }
    }

    /// y = f(xW + b), where f is the `activation`, if there is one, and xW + b has no −0. Returns false if a number of
    /// xW + b is not finite.
    pub fn forward<R: Element>(
        &mut self,
        instructions: Instructions,
        parameters: &[R],
        x: MatrixValues<R>,
        y: &mut [R],
        activation: Option<Activation>,
    ) -> bool {
        self.x.look(instructions, x, self.inputs, self.outputs);
        if self.x.is_empty() {
            let x = matrix(x.numbers(), y.len() / self.outputs, self.inputs);
            kernel::product(instructions, x, self.weight(parameters), y);
        } else {
            kernel::sparse_product(instructions, x, false, &self.x, self.weight(parameters), y);
        }
        let bias = self.bias.clone().map(|bias| &parameters[bias]);
        instructions.run(
            #[inline(always)]
            || {
                // Everything left to do for one row before the next, while it is in the cache.
                let mut finite = true;
                for row in y.chunks_exact_mut(self.outputs) {
                    finite &= match bias {
                        Some(bias) => kernel::add_bias(row, bias),
                        None => kernel::are_finite(row),
                    };
                    if let Some(activation) = activation {
                        activation.forward(row);
                    }
                }
                finite
            },
        )
    }

    /// dW = xᵀ dy, db = the column sums of dy, written to this layer's ranges of `gradients`. `dy: [rows, outputs]` is
    /// the gradient of the loss with respect to y, and `x` the input of the last [`forward`](Self::forward).
    pub fn parameter_gradients<R: Element>(
        &mut self,
        instructions: Instructions,
        x: MatrixValues<R>,
        dy: &[R],
        gradients: &mut [R],
    ) {
        let rows = dy.len() / self.outputs;
        let dy_rows = matrix(dy, rows, self.outputs);
        let dw = &mut gradients[self.weight.clone()];
        if self.x.is_empty() {
            let x = matrix(x.numbers(), rows, self.inputs);
            kernel::product(instructions, x.reversed_axes(), dy_rows, dw);
        } else {
            let finite = instructions.run(
                #[inline(always)]
                || kernel::are_finite(dy),
            );
            match finite {
                true => self.x_transposed.transpose(&self.x),
                // Numbers that are not finite have to be multiplied by zeros too.
                false => self.x_transposed.fill(self.inputs, rows),
            }
            kernel::sparse_product(instructions, x, true, &self.x_transposed, dy_rows, dw);
        }
        if let Some(bias) = &self.bias {
            let sums = &mut gradients[bias.clone()];
            instructions.run(
                #[inline(always)]
                || kernel::column_sums(dy, sums),
            );
        }
    }

    /// dx = dy Wᵀ.
    pub fn input_gradient<R: Element>(&mut self, instructions: Instructions, parameters: &[R], dy: &[R], dx: &mut [R]) {
        self.dy.look(instructions, dy.into(), self.outputs, self.inputs);
        let transposed = self.weight(parameters).reversed_axes();
        if self.dy.is_empty() {
            let dy = matrix(dy, dy.len() / self.outputs, self.outputs);
            kernel::product(instructions, dy, transposed, dx);
        } else {
            kernel::sparse_product(instructions, dy.into(), false, &self.dy, transposed, dx);
        }
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
        let mut layout = ParameterLayout::default();
        let mut affine = Affine::new("affine1", 2, 3, true, 2, &mut layout);
        let fastest = Instructions::fastest();
        // W = [[1, 2, 3], [4, 5, 6]], b = [10, 20, 30]
        let parameters = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 10.0, 20.0, 30.0];
        let x = [1.0, 0.0, 2.0, -1.0];

        let mut y = [f64::NAN; 6];
        assert!(affine.forward(fastest, &parameters, x.as_slice().into(), &mut y, None));
        assert_eq!(y, [11.0, 22.0, 33.0, 8.0, 19.0, 30.0]);

        let dy = [1.0, 0.0, -1.0, 0.5, 1.0, 0.0];
        let mut gradients = [f64::NAN; 9];
        affine.parameter_gradients(fastest, x.as_slice().into(), &dy, &mut gradients);
        assert_eq!(gradients, [2.0, 2.0, -1.0, -0.5, -1.0, 0.0, 1.5, 1.0, -1.0]);

        let mut dx = [f64::NAN; 4];
        affine.input_gradient(fastest, &parameters, &dy, &mut dx);
        assert_eq!(dx, [-2.0, -2.0, 2.5, 7.0]);
    }
}
