//! Recorded calls, judged as they would have been live.

#[cfg(test)]
mod guessed;
#[cfg(test)]
mod judged;
#[cfg(test)]
mod listed;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod support;
