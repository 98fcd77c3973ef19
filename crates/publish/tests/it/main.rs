//! Publishing against witnesses in the same process: honest ones, slow ones, and ones that lie.

#[cfg(test)]
mod kit;
#[cfg(test)]
mod publishing;
#[cfg(test)]
mod starting;
