//! What a path is where its call is made.

use countersign_core::document::Workspace;

use crate::limits::TARGET_BYTES;
use crate::value::{Key, Parsed, path_key, text, token_key};

/// Reads a path of a call with a workspace: absolute, without links as far as they are told, and
/// whether it is in the project. `None` if it is none.
pub(super) fn parse(workspace: &Workspace, value: &str) -> Option<(Parsed, Option<bool>)> {
    if value.is_empty() || value.len() > TARGET_BYTES || value.chars().any(char::is_control) {
        return None;
    }
    let Resolved {
        path,
        below,
        is_linked,
    } = resolve(workspace, value);
    let mut keys = Vec::new();
    if !text::has_hidden(value) {
        keys.extend(named(&path));
        let below = below.iter().filter(|below| *below != ".");
        keys.extend(below.flat_map(|below| named(below)));
        if !is_linked && path_key(value).is_some() {
            keys.extend(named(value));
        }
    }
    keys.sort();
    keys.dedup();
    let parsed = Parsed {
        lookups: vec![text::lenient(&path)],
        keys,
        skeleton: Some(text::skeleton(&path)),
        members: vec![("path", path)],
    };
    Some((parsed, Some(below.is_some())))
}

/// The keys of a path that somebody's words may hold.
fn named(path: &str) -> impl Iterator<Item = Key> + use<> {
    path_key(path).into_iter().chain([token_key(path)])
}

struct Resolved {
    path: String,
    /// The same from the project's directory on, if it is in the project.
    below: Option<String>,
    /// Whether a link leads elsewhere than the text does.
    is_linked: bool,
}

/// Follows the path as the system does, one name after the other.
fn resolve(workspace: &Workspace, value: &str) -> Resolved {
    // What stands for a home, and what another system takes for a separator, leads who knows where.
    if value == "~" || value.starts_with("~/") || value.contains('\\') {
        return Resolved {
            path: value.replace('\\', "/"),
            below: None,
            is_linked: false,
        };
    }
    let mut is_linked = false;
    let mut path = match value.starts_with('/') {
        true => String::new(),
        false => workspace.cwd.trim_end_matches('/').to_owned(),
    };
    for name in value.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                path = follow(workspace, path, &mut is_linked);
                path.truncate(path.rfind('/').unwrap_or(0));
            }
            name => {
                path.push('/');
                path.push_str(name);
            }
        }
    }
    let mut path = follow(workspace, path, &mut is_linked);
    if path.is_empty() {
        path.push('/');
    }
    Resolved {
        below: below(&workspace.root, &path),
        path,
        is_linked,
    }
}

/// What a path really is: the longest part of it that is a link is replaced by what it leads to.
fn follow(workspace: &Workspace, path: String, is_linked: &mut bool) -> String {
    let mut end = path.len();
    loop {
        let Some(part) = path.get(..end).filter(|part| !part.is_empty()) else {
            return path;
        };
        if let Some(real) = workspace.links.get(part) {
            *is_linked = true;
            let rest = path.get(end..).unwrap_or("");
            return format!("{}{rest}", real.trim_end_matches('/'));
        }
        end = part.rfind('/').unwrap_or(0);
    }
}

/// The path from the project on. The directory of everything is no project.
fn below(root: &str, path: &str) -> Option<String> {
    if !root.starts_with('/') || root.len() < 2 {
        return None;
    }
    match path.strip_prefix(root)? {
        "" => Some(".".to_owned()),
        rest => rest.strip_prefix('/').map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(links: &[(&str, &str)]) -> Workspace {
        Workspace {
            root: "/home/u/p".to_owned(),
            cwd: "/home/u/p/sub".to_owned(),
            links: links
                .iter()
                .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_path_is_what_it_is_where_the_call_is_made() {
        let links = [
            ("/home/u/p/link", "/etc"),
            ("/home/u/p/sub/own", "/home/u/p/other"),
            ("/tmp/in", "/home/u/p/x"),
        ];
        for (value, path, in_project) in [
            ("a.rs", "/home/u/p/sub/a.rs", true),
            ("../b/./c", "/home/u/p/b/c", true),
            ("..", "/home/u/p", true),
            ("../..", "/home/u", false),
            ("../../p2/x", "/home/u/p2/x", false),
            ("/home/u/p", "/home/u/p", true),
            ("/home/u/pp/x", "/home/u/pp/x", false),
            ("/home/u/p/../q", "/home/u/q", false),
            ("/../../etc", "/etc", false),
            ("/", "/", false),
            ("../link", "/etc", false),
            ("../link/passwd", "/etc/passwd", false),
            ("../link/../x", "/x", false),
            ("own/y", "/home/u/p/other/y", true),
            ("own/../../p/y", "/home/u/p/y", true),
            ("own/../z", "/home/u/p/z", true),
            ("/tmp/in/y", "/home/u/p/x/y", true),
            ("~/p/x", "~/p/x", false),
            ("a\\..\\..\\x", "a/../../x", false),
        ] {
            let (parsed, found) = parse(&workspace(&links), value).unwrap();
            assert_eq!(parsed.members, [("path", path.to_owned())], "{value}");
            assert_eq!(found, Some(in_project), "{value}");
        }
        assert!(parse(&workspace(&[]), "a\nb").is_none());
    }

    #[test]
    fn no_directory_of_everything_is_a_project() {
        for root in ["/", "", "p", "~"] {
            let workspace = Workspace {
                root: root.to_owned(),
                ..workspace(&[])
            };
            assert_eq!(parse(&workspace, "/etc/passwd").unwrap().1, Some(false));
        }
    }

    #[test]
    fn words_name_a_path_as_it_is_written_only_where_no_link_leads_elsewhere() {
        let links = [("/home/u/p/sub/a", "/etc/a")];
        let key = |text: &str| path_key(text).unwrap();
        let (plain, _) = parse(&workspace(&[]), "a").unwrap();
        assert!(
            ["a", "sub/a", "/home/u/p/sub/a"]
                .iter()
                .all(|text| plain.keys.contains(&key(text)))
        );
        let (linked, _) = parse(&workspace(&links), "a").unwrap();
        assert!(linked.keys.contains(&key("/etc/a")) && !linked.keys.contains(&key("a")));
    }
}
