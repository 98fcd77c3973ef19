//! The relay around a child process.

mod attacks;
mod calls;
mod endings;
mod people;
mod wire;
