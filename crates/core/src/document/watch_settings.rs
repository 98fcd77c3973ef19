//! What a bundle says of the detectors: what raises a flag, and what is not to be looked at.
//!
//! What was added after version 1 of the settings is left out of the bundle's bytes where it is as
//! usual, so that a bundle without it keeps its ref.

use serde::{Deserialize, Serialize};

use crate::entry::{ActorPattern, Detector};
use crate::names::ActionName;
use crate::time::Timestamp;

/// What the detectors look for. A threshold of 0 turns its detector off; windows are in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WatchSettings {
    /// How many rejections of one actor, or under one intent, within the window raise a flag. Of an
    /// actor with a past of its own, it takes one more, and that they are out of its pattern.
    pub burst_rejections: u32,
    /// The window, in seconds.
    pub burst_window_s: u32,
    /// How many calls without a live intent, of one actor within the window, raise a flag.
    pub unmandated_calls: u32,
    /// The window, in seconds.
    pub unmandated_window_s: u32,
    /// How much past it takes before an actor's own pattern is held against it.
    #[serde(skip_serializing_if = "is_usual")]
    pub baseline: Baseline,
    /// Attempts that go on after a rejection.
    #[serde(skip_serializing_if = "is_usual")]
    pub retry: RetryWatch,
    /// Targets that an actor had never reached for.
    #[serde(skip_serializing_if = "is_usual")]
    pub novel_target: NovelTargetWatch,
    /// Hours at which an actor had never been at work.
    #[serde(skip_serializing_if = "is_usual")]
    pub off_hours: OffHoursWatch,
    /// Many people's sessions that come upon one new target.
    #[serde(skip_serializing_if = "is_usual")]
    pub spread: SpreadWatch,
    /// Approved calls of which nobody reports that they ran.
    #[serde(skip_serializing_if = "is_usual")]
    pub missing_execution: MissingExecutionWatch,
    /// Permits that were refused for being used twice or for another call.
    #[serde(skip_serializing_if = "is_usual")]
    pub unapproved_execution: UnapprovedExecutionWatch,
    /// Openings of sealed records.
    #[serde(skip_serializing_if = "is_usual")]
    pub reading_around: ReadingAroundWatch,
    /// What a new bundle permits that the one before it had just rejected.
    #[serde(skip_serializing_if = "is_usual")]
    pub loosened: LoosenedWatch,
    /// What is not to be counted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mute: Vec<Mute>,
}

impl Default for WatchSettings {
    fn default() -> Self {
        Self {
            burst_rejections: 3,
            burst_window_s: 600,
            unmandated_calls: 1,
            unmandated_window_s: 600,
            baseline: Baseline::default(),
            retry: RetryWatch::default(),
            novel_target: NovelTargetWatch::default(),
            off_hours: OffHoursWatch::default(),
            spread: SpreadWatch::default(),
            missing_execution: MissingExecutionWatch::default(),
            unapproved_execution: UnapprovedExecutionWatch::default(),
            reading_around: ReadingAroundWatch::default(),
            loosened: LoosenedWatch::default(),
            mute: Vec::new(),
        }
    }
}

/// What one detector is not to count: decisions of these actors and of this action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// The detector.
    pub detector: Detector,
    /// Of which actors: an exact name, or a prefix that ends in `/`; without it, of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<ActorPattern>,
    /// Of which action; without it, of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
    /// Until when; without it, as long as the bundle is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

fn is_usual<T: Default + PartialEq>(settings: &T) -> bool {
    *settings == T::default()
}

/// Declares the settings of one detector, all of them whole numbers with a usual value.
macro_rules! numbers {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $member_doc:literal])* $member:ident = $usual:literal,)* }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[doc = $member_doc])* pub $member: u32,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($member: $usual,)* }
            }
        }
    };
}

numbers! {
    /// How much past it takes before an actor's own pattern is held against it.
    Baseline {
        /// How many calls, on days before today. It is also how many calls in a row must have
        /// reached nothing new before something new stands out.
        past_calls = 100,
        /// How many days.
        past_days = 7,
    }
}
numbers! {
    /// After a rejection, the same intent tries other arguments, actions or targets.
    RetryWatch {
        /// How many different attempts are stopped, the first rejection included.
        attempts = 4,
        /// The window, in seconds.
        window_s = 3_600,
    }
}
numbers! {
    /// An actor reaches for what it never acted on, though it long acted on nothing new.
    NovelTargetWatch {
        /// How many calls that name a new target.
        calls = 1,
        /// The window, in seconds.
        window_s = 86_400,
    }
}
numbers! {
    /// An actor is at work at an hour at which it never was.
    OffHoursWatch {
        /// How many calls.
        calls = 4,
        /// The window, in seconds.
        window_s = 3_600,
    }
}
numbers! {
    /// Calls for many people name one target that no call had named before.
    SpreadWatch {
        /// For how many people such calls are stopped.
        principals = 5,
        /// The window, in seconds.
        window_s = 86_400,
    }
}
numbers! {
    /// Approved calls of an actor, of whose calls it is usually reported that they ran.
    MissingExecutionWatch {
        /// How many calls.
        calls = 3,
        /// The window, in seconds.
        window_s = 3_600,
        /// How long after the approval a report may come, in seconds.
        after_s = 900,
    }
}
numbers! {
    /// Permits are refused that were used before, or that are for another call. Anything that runs
    /// without an approval raises a flag at once unless this is off.
    UnapprovedExecutionWatch {
        /// How many refused permits.
        refusals = 3,
        /// The window, in seconds.
        window_s = 600,
    }
}
numbers! {
    /// One credential opens more sealed records than it used to.
    ReadingAroundWatch {
        /// How many records, at the least.
        records = 100,
        /// The window, in seconds.
        window_s = 3_600,
    }
}
numbers! {
    /// A new bundle permits what the one before it had just rejected, and that is made use of.
    LoosenedWatch {
        /// How many calls.
        calls = 1,
        /// How long before the bundle came into force the rejection may lie, and how long after it
        /// the approval, in seconds.
        window_s = 3_600,
    }
}
