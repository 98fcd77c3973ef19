//! The judge from the outside: bundles, facts, verdicts, and the attacks on each.

mod attacks;
mod bundles;
mod combining;
mod docs;
mod facts;
mod rejudging;
mod support;
