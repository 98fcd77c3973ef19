//! Small programs that stand in an operand: whether they do no more than work on text.

/// Whether a script of the stream editor only selects and replaces lines: it reads and writes no file
/// of its own and runs nothing. What is not understood is not plain.
pub(super) fn is_plain_sed(script: &str) -> bool {
    let mut sed = Sed {
        rest: script.trim(),
    };
    loop {
        sed.rest = sed.rest.trim_start_matches([' ', '\t', '\n', ';']);
        if sed.rest.is_empty() {
            return true;
        }
        if sed.command().is_none() {
            return false;
        }
    }
}

struct Sed<'t> {
    rest: &'t str,
}

impl Sed<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = self.rest.get(next.len_utf8()..)?;
        Some(next)
    }

    /// One command with its addresses; `None` if it does more than that.
    fn command(&mut self) -> Option<()> {
        loop {
            match self.next()? {
                '0'..='9' | '$' | ',' | '!' | '~' | '+' | ' ' => {}
                '/' => self.delimited('/')?,
                'p' | 'd' | 'q' | '=' | 'n' | 'N' | 'G' | 'H' | 'g' | 'h' | 'x' | 'D' | 'P' => {
                    return self.end();
                }
                's' => {
                    let delimiter = self.next().filter(|c| c.is_ascii_punctuation())?;
                    if delimiter == '\\' {
                        return None;
                    }
                    self.delimited(delimiter)?;
                    self.delimited(delimiter)?;
                    self.rest = self
                        .rest
                        .trim_start_matches(|c: char| "gpiI".contains(c) || c.is_ascii_digit());
                    return self.end();
                }
                _ => return None,
            }
        }
    }

    fn end(&self) -> Option<()> {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        (rest.is_empty() || rest.starts_with([';', '\n'])).then_some(())
    }

    /// Goes behind the next delimiter that is not escaped.
    fn delimited(&mut self, delimiter: char) -> Option<()> {
        loop {
            match self.next()? {
                '\\' => {
                    self.next()?;
                }
                // Within brackets a delimiter may be a letter, or not; and where they end is a matter of
                // what stands first in them.
                '[' if self.rest.split(']').next()?.contains(delimiter) => return None,
                '[' if self.rest.starts_with([']']) || self.rest.starts_with("^]") => return None,
                '[' if self.rest.starts_with("[") && !is_class(self.rest, delimiter) => {
                    return None;
                }
                '\n' => return None,
                c if c == delimiter => return Some(()),
                _ => {}
            }
        }
    }
}

/// Whether brackets, the first of which is taken, hold one class (`[[:space:]]`) and nothing that
/// could end them elsewhere.
fn is_class(rest: &str, delimiter: char) -> bool {
    let class = rest
        .strip_prefix("[:")
        .and_then(|rest| rest.split_once(":]"));
    class.is_some_and(|(name, rest)| {
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase());
        is_name
            && rest
                .split_once(']')
                .is_some_and(|(more, _)| !more.contains([delimiter, '[']))
    })
}

/// Whether an AWK program only computes and prints to its own output.
pub(super) fn is_plain_awk(program: &str) -> bool {
    // By `ARGV` it names the files that it reads, also through the table of its variables.
    const MORE: [&str; 8] = [
        "system",
        "getline",
        "|",
        ">",
        "@",
        "extension",
        "ARGV",
        "SYMTAB",
    ];
    const ESCAPES: [&str; 5] = ["\\n", "\\t", "\\\"", "\\.", "\\/"];
    let escapes: usize = ESCAPES
        .iter()
        .map(|escape| program.matches(escape).count())
        .sum();
    program.matches('\\').count() == escapes && !MORE.iter().any(|more| program.contains(more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_only_work_on_text_are_plain() {
        for script in [
            "1,20p",
            "$d",
            "/a b/p",
            "/a/,/b/d",
            "s/a/b/",
            "s/a/b/g;s|x/y|z|2p",
            "10q",
            "1!d",
            "",
            "s/\\//x/",
            "s,a,b,; 5p",
            "s/[ab]/c/",
            "s/^[[:space:]]*//",
            "s/[^a-z]//g",
            "0~2p",
            "$!N",
            "/x/{p",
        ] {
            assert_eq!(is_plain_sed(script), !script.contains('{'), "{script}");
        }
        for script in [
            "w /etc/x",
            "1e rm x",
            "s/a/b/e",
            "s/a/b/w f",
            "r /etc/passwd",
            "p;w x",
            "s/a/b/;e",
            "e",
            "1,5w f",
            "s/a/b",
            "a text",
            "s/a[/]b/c/",
            "y/a/b/",
            "s/a/b/gw x",
            "s\\a\\b\\e",
            "s/a/b/\nw f",
            "R x",
            "W x",
            "F",
            "s/a/b/ e",
            "s/x[/]/e;w f",
            "s/[]/]/p;/w x/p",
            "s/[^]/]/p;/w x/p",
            "s/[[:alpha:]/]/p;/w x/p",
            "s/[[=a=]/]/p;/w x/p",
        ] {
            assert!(!is_plain_sed(script), "{script}");
        }
        for program in [
            "{print $1}",
            "NR==1 {print \"a\\n\"}",
            "/x/ {n++} END {print n}",
            "$1 ~ /a\\./",
        ] {
            assert!(is_plain_awk(program), "{program}");
        }
        for program in [
            "{system(\"x\")}",
            "{print > \"f\"}",
            "{print | \"sh\"}",
            "BEGIN {\"x\" | getline}",
            "@load \"x\"",
            "{\"x\" |& getline}",
            "BEGIN{sy\\x73tem(1)}",
            "BEGIN{ARGV[1]=\"/etc/passwd\"}{print}",
            "BEGIN{SYMTAB[\"x\"]=1}",
        ] {
            assert!(!is_plain_awk(program), "{program}");
        }
    }
}
