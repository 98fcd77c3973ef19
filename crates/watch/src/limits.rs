//! What bounds the memory of a [`crate::Watch`].

/// Most actors and intents whose entries are being counted. Beyond it, those that were quiet
/// longest are forgotten.
pub const GATHERING: usize = 4096;
/// Most entries that one of them keeps, if the threshold is no higher: a slow incident whose first
/// entries are more than these begins with the oldest that are left.
pub const CHAIN: usize = 64;
/// Most running incidents. Beyond it, the one that was quiet longest is closed.
pub const INCIDENTS: usize = 1024;
/// Of how many entries an incident remembers that they are its own: the newest.
pub const MEMBERS: usize = 1000;
/// Most ended incidents of which something is still to be written. Beyond it, the oldest are
/// forgotten, and their flags stay as they are.
pub const ENDED: usize = 1024;
/// The highest threshold; a higher setting counts as this.
pub const THRESHOLD: u32 = 1000;
/// How long the rejections of an actor with a past are held together, in seconds, if it stays out of
/// its pattern: longer than the window where that is shorter.
pub const SLOW_WINDOW_S: u32 = 6 * 3_600;
/// How long a tool that has changed stays quiet, in seconds, before a call of one begins another
/// incident. Every such call counts: no setting turns the detector off.
pub const TOOL_CHANGED_WINDOW_S: u32 = 3_600;
/// How much later than a window's end, in milliseconds, a tick takes it to be over: what is
/// committed next may have a time that is earlier than the tick's by as much as a ledger's
/// clock may step back.
pub const TICK_SLACK_MS: i64 = 2_000;
/// Most actors of which a past is kept. Beyond it, the one that was quiet longest is forgotten, and
/// is a newcomer when it comes back. So with all limits below.
pub const ACTORS: usize = 1024;
/// Most targets that are known of one actor. One that reaches more reaches new ones all the time,
/// and nothing is made of that.
pub const TARGETS_OF_ACTOR: usize = 512;
/// Most targets of which it is known that an entry named them.
pub const TARGETS: usize = 32_768;
/// The highest number of people that `spread` waits for; a higher setting counts as this.
pub const SPREAD_PRINCIPALS: u32 = 64;
/// Most calls that passed and are kept of one target, each for another person. On a log without a
/// past they count for nothing by themselves, however many there are.
pub const PASSED_OF_TARGET: usize = 64;
/// Most sessions whose newest turn and result are known.
pub const SESSIONS: usize = 8_192;
/// Most decisions of which it is known what was decided, the newest.
pub const DECISIONS: usize = 16_384;
/// Most approved calls that wait for a report that they ran. Of those beyond it nothing is made.
pub const AWAITED: usize = 8_192;
/// Most intents whose stopped attempts are known.
pub const INTENTS: usize = 4_096;
/// Most stopped attempts of one intent that are told from each other.
pub const ATTEMPTS: usize = 16;
/// Most targets of one call that rejections and attempts are known by.
pub const TARGETS_OF_CALL: usize = 8;
/// Most rejections that are kept for when a new bundle comes into force.
pub const REJECTED: usize = 4_096;
/// Most credentials whose openings of sealed records are known.
pub const READERS: usize = 1_024;
