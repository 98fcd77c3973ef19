//! The fields of a result, and where each stands: a tree, so that long names are kept once.

use super::shape::Labels;

/// A text in a result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// The innermost record that it is in.
    pub(super) record: Option<u32>,
    pub(super) labels: Labels,
}

/// The fields of a result that something was found in.
#[derive(Debug, Default)]
pub(super) struct Fields {
    fields: Vec<(Field, u32)>,
    nodes: Vec<Node>,
    names: Vec<Box<str>>,
    /// From the whole result to where the walk stands.
    open: Vec<Open>,
    weight: usize,
}

/// A place in the tree. The parent of [`ROOT`]'s members is [`ROOT`].
#[derive(Debug, Clone, Copy)]
struct Node {
    parent: u32,
    token: Token,
}

#[derive(Debug, Clone, Copy)]
enum Token {
    Item(u32),
    /// By its number in the list of names.
    Member(u32),
}

#[derive(Debug)]
enum Open {
    /// Nothing was found there yet.
    Item(u32),
    Member(Box<str>),
    Node(u32),
}

/// The whole result.
const ROOT: u32 = u32::MAX;

impl Fields {
    /// Steps into an item of a list.
    pub(super) fn enter_item(&mut self, n: u32) {
        self.open.push(Open::Item(n));
    }

    /// Steps into a member of an object.
    pub(super) fn enter_member(&mut self, name: &str) {
        self.open.push(Open::Member(name.into()));
    }

    /// Steps out again.
    pub(super) fn leave(&mut self) {
        self.open.pop();
    }

    /// Notes a field where the walk stands.
    pub(super) fn add(&mut self, field: Field) -> u32 {
        let node = self.here();
        self.fields.push((field, node));
        number(self.fields.len() - 1)
    }

    pub(super) fn get(&self, field: u32) -> Option<&Field> {
        let n = usize::try_from(field).ok()?;
        self.fields.get(n).map(|(field, _)| field)
    }

    /// The JSON Pointer (RFC 6901) of a field, or that of the innermost value around it whose pointer
    /// has no more bytes than `most`: names in a result can be as long as their author likes.
    pub(super) fn pointer(&self, field: u32, most: usize) -> String {
        let place = usize::try_from(field).ok().and_then(|n| self.fields.get(n));
        let mut node = place.map_or(ROOT, |(_, node)| *node);
        let mut tokens = Vec::new();
        while let Some(here) = usize::try_from(node).ok().and_then(|n| self.nodes.get(n)) {
            tokens.push(here.token);
            node = here.parent;
        }
        let mut pointer = String::new();
        for token in tokens.iter().rev() {
            let before = pointer.len();
            pointer.push('/');
            match token {
                Token::Item(n) => pointer.push_str(&n.to_string()),
                Token::Member(n) => self.push_name(*n, most, &mut pointer),
            }
            if pointer.len() > most {
                pointer.truncate(before);
                break;
            }
        }
        pointer
    }

    /// About how many bytes the list takes.
    pub(super) fn weight(&self) -> usize {
        self.weight
            + self.fields.len() * size_of::<(Field, u32)>()
            + self.nodes.len() * size_of::<Node>()
    }

    /// Adds a name, or as much of it as is longer than that.
    fn push_name(&self, n: u32, most: usize, pointer: &mut String) {
        let name = usize::try_from(n).ok().and_then(|n| self.names.get(n));
        for c in name.map_or("", |name| name).chars() {
            if pointer.len() > most {
                return;
            }
            match c {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                c => pointer.push(c),
            }
        }
    }

    /// The node of where the walk stands.
    fn here(&mut self) -> u32 {
        let mut parent = ROOT;
        for open in &mut self.open {
            let token = match open {
                Open::Node(node) => {
                    parent = *node;
                    continue;
                }
                Open::Item(n) => Token::Item(*n),
                Open::Member(name) => {
                    self.weight += name.len() + size_of::<Box<str>>();
                    self.names.push(std::mem::take(name));
                    Token::Member(number(self.names.len() - 1))
                }
            };
            self.nodes.push(Node { parent, token });
            parent = number(self.nodes.len() - 1);
            *open = Open::Node(parent);
        }
        parent
    }
}

fn number(n: usize) -> u32 {
    // A result has fewer bytes than that.
    u32::try_from(n).unwrap_or(ROOT - 1)
}
