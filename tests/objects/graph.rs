//! Graphs of structs and arrays that a guest builds and changes as it is told, and a model of them.

use tenon::{Extern, ExternRef, Func, Instance, Object, Store, Val};

use super::{MODES, Mode, Numbers, call, func, instance, is_exhausted, number};

/// Places in the guest's table, from which everything hangs.
const SLOTS: u32 = 24;

/// A node has a number that never changes; a next node; anything, which may be a node, an array of
/// nodes or a number; an object of the host; and the children that it was made with.
const GUEST: &str = r#"(module
  (rec
    (type $node (struct (field $id i32) (field $next (mut (ref null $node)))
      (field $any (mut anyref)) (field $host (mut externref)) (field $all (ref $nodes))
      (field $wide i64)))
    (type $nodes (array (mut (ref null $node)))))
  (table $slots (export "slots") 24 (ref null $node))
  (global $last (export "last") (mut (ref null $node)) (ref.null $node))
  (func (export "make") (param $slot i32) (param $id i32) (param $count i32)
    (table.set $slots (local.get $slot)
      (struct.new $node (local.get $id) (table.get $slots (local.get $slot))
        (ref.i31 (local.get $id)) (ref.null extern)
        (array.new $nodes (table.get $slots (local.get $slot)) (local.get $count))
        (i64.extend_i32_s (local.get $id))))
    (global.set $last (table.get $slots (local.get $slot))))
  (func (export "next") (param $slot i32) (param $to i32)
    (struct.set $node $next (table.get $slots (local.get $slot))
      (table.get $slots (local.get $to))))
  (func (export "any") (param $slot i32) (param $to i32)
    (struct.set $node $any (table.get $slots (local.get $slot))
      (table.get $slots (local.get $to))))
  (func (export "array") (param $slot i32) (param $to i32)
    (struct.set $node $any (table.get $slots (local.get $slot))
      (struct.get $node $all (table.get $slots (local.get $to)))))
  (func (export "host") (param $slot i32) (param $value externref)
    (struct.set $node $host (table.get $slots (local.get $slot)) (local.get $value)))
  (func (export "child") (param $slot i32) (param $index i32) (param $to i32)
    (array.set $nodes (struct.get $node $all (table.get $slots (local.get $slot)))
      (local.get $index) (table.get $slots (local.get $to))))
  (func (export "copy") (param $slot i32) (param $to i32) (param $count i32)
    (array.copy $nodes $nodes
      (struct.get $node $all (table.get $slots (local.get $to))) (i32.const 0)
      (struct.get $node $all (table.get $slots (local.get $slot))) (i32.const 0)
      (local.get $count)))
  (func (export "drop") (param $slot i32)
    (table.set $slots (local.get $slot) (ref.null $node)))
  (func (export "move") (param $slot i32) (param $to i32)
    (table.set $slots (local.get $to) (table.get $slots (local.get $slot))))
  (func (export "forward") (param $slot i32)
    (table.set $slots (local.get $slot)
      (struct.get $node $next (table.get $slots (local.get $slot)))))
  (func (export "get") (param $slot i32) (result (ref null $node))
    (table.get $slots (local.get $slot))))"#;

const ID: u32 = 0;
const NEXT: u32 = 1;
const ANY: u32 = 2;
const HOST: u32 = 3;
const ALL: u32 = 4;
const WIDE: u32 = 5;

/// What a node's `any` is.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Any {
    Number(i32),
    Node(usize),
    /// The children of this node.
    Nodes(usize),
}

/// A node of the model; others are named by their numbers.
struct Shadow {
    next: Option<usize>,
    any: Any,
    host: Option<usize>,
    all: Vec<Option<usize>>,
}

/// Objects of the host that are in the guest are told apart by this.
struct Label(usize);

struct Graph {
    store: Store,
    guest: Instance,
    nodes: Vec<Shadow>,
    slots: [Option<usize>; SLOTS as usize],
    /// Handles that are kept over all that happens.
    kept: Vec<(Object, usize)>,
    numbers: Numbers,
}

fn arg(value: u32) -> Val {
    Val::I32(value as i32)
}

impl Graph {
    fn func(&self, name: &str) -> Func {
        func(&self.guest, name)
    }

    fn run(&self, name: &str, args: &[Val]) {
        self.func(name).call(args).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// A slot, and the node in it; none if it is empty.
    fn slot(&mut self) -> Option<(u32, usize)> {
        let slot = self.numbers.below(SLOTS);
        Some((slot, self.slots[slot as usize]?))
    }

    fn make(&mut self) {
        let (slot, count) = (self.numbers.below(SLOTS), self.numbers.below(5));
        let id = self.nodes.len();
        let args = [arg(slot), arg(id as u32), arg(count)];
        let made = self.func("make").call(&args);
        if is_exhausted(&made) {
            // Nothing has changed; with fewer roots there is room again.
            for slot in 0..SLOTS {
                self.run("drop", &[arg(slot)]);
                self.slots[slot as usize] = None;
            }
            self.kept.clear();
            return;
        }
        made.expect("it does not trap");
        let old = self.slots[slot as usize];
        let all = vec![old; count as usize];
        self.nodes.push(Shadow { next: old, any: Any::Number(id as i32), host: None, all });
        self.slots[slot as usize] = Some(id);
    }

    /// Does something to what is in two slots.
    fn change(&mut self) -> Option<()> {
        let ((slot, node), (to, other)) = (self.slot()?, self.slot()?);
        match self.numbers.below(9) {
            0 => {
                self.run("next", &[arg(slot), arg(to)]);
                self.nodes[node].next = Some(other);
            }
            1 => {
                self.run("any", &[arg(slot), arg(to)]);
                self.nodes[node].any = Any::Node(other);
            }
            2 => {
                self.run("array", &[arg(slot), arg(to)]);
                self.nodes[node].any = Any::Nodes(other);
            }
            3 => {
                let label = self.numbers.below(1000) as usize;
                let object = ExternRef::new(&self.store, Label(label));
                self.run("host", &[arg(slot), object.into()]);
                self.nodes[node].host = Some(label);
            }
            4 => {
                let index = self.numbers.below(self.nodes[node].all.len().max(1) as u32);
                let place = self.nodes[node].all.get_mut(index as usize)?;
                *place = Some(other);
                self.run("child", &[arg(slot), arg(index), arg(to)]);
            }
            5 => {
                let count = self.nodes[node].all.len().min(self.nodes[other].all.len());
                let copied = self.nodes[node].all[..count].to_vec();
                self.nodes[other].all[..count].copy_from_slice(&copied);
                self.run("copy", &[arg(slot), arg(to), arg(count as u32)]);
            }
            6 => {
                self.run("move", &[arg(slot), arg(to)]);
                self.slots[to as usize] = Some(node);
            }
            7 => {
                self.run("forward", &[arg(slot)]);
                self.slots[slot as usize] = self.nodes[node].next;
            }
            _ => {
                self.run("drop", &[arg(slot)]);
                self.slots[slot as usize] = None;
            }
        }
        Some(())
    }

    /// Takes a handle, or gives one up.
    fn keep(&mut self) -> Option<()> {
        if self.kept.len() > 12 {
            let at = self.numbers.below(self.kept.len() as u32) as usize;
            self.kept.swap_remove(at);
        }
        let (slot, node) = self.slot()?;
        let value = call(&self.func("get"), &[arg(slot)]);
        self.kept.push((value.as_object()?.clone(), node));
        Some(())
    }

    /// Compares everything that can be reached with the model.
    fn compare(&self) {
        let mut seen: Vec<Option<Object>> = vec![None; self.nodes.len()];
        let mut left: Vec<(Object, usize)> = self.kept.clone();
        for (slot, node) in self.slots.iter().enumerate() {
            let value = call(&self.func("get"), &[arg(slot as u32)]);
            self.expect(&value, *node, &mut left);
        }
        while let Some((object, node)) = left.pop() {
            if let Some(known) = &seen[node] {
                assert!(known.is(&object), "node {node} is in two places");
                continue;
            }
            let shadow = &self.nodes[node];
            let field = |index| object.get(index).expect("nodes have six fields");
            assert_eq!(number(&field(ID)), node as i32);
            assert!(field(WIDE).is(&Val::I64(node as i64)));
            self.expect(&field(NEXT), shadow.next, &mut left);
            match (field(ANY), shadow.any) {
                (value, Any::Number(wanted)) => {
                    let number = value.as_object().and_then(Object::as_i31);
                    assert_eq!(number, Some(wanted as u32));
                }
                (value, Any::Node(wanted)) => self.expect(&value, Some(wanted), &mut left),
                (value, Any::Nodes(wanted)) => {
                    let array = value.as_object().expect("it is an array");
                    self.expect_all(array, wanted, &mut left);
                }
            }
            let label = match field(HOST) {
                Val::ExternRef(Some(handle)) => {
                    ExternRef::of(&handle).and_then(|host| host.data()).map(|Label(label)| *label)
                }
                _ => None,
            };
            assert_eq!(label, shadow.host);
            self.expect_all(field(ALL).as_object().expect("it is never null"), node, &mut left);
            seen[node] = Some(object);
        }
    }

    fn expect(&self, value: &Val, wanted: Option<usize>, left: &mut Vec<(Object, usize)>) {
        match (value.as_object(), wanted) {
            (Some(object), Some(node)) => left.push((object.clone(), node)),
            (None, None) => {}
            _ => panic!("{value:?} is not {wanted:?}"),
        }
    }

    /// Compares an array with a node's children.
    fn expect_all(&self, array: &Object, of: usize, left: &mut Vec<(Object, usize)>) {
        let wanted = &self.nodes[of].all;
        assert_eq!(array.len() as usize, wanted.len());
        for (index, node) in wanted.iter().enumerate() {
            let value = array.get(index as u32).expect("the index is in bounds");
            self.expect(&value, *node, left);
        }
    }
}

fn graphs_are_what_their_models_are(mode: Mode, seed: u64, steps: usize) {
    let store = mode.store();
    let guest = instance(&store, GUEST);
    let numbers = Numbers(seed);
    let (nodes, kept) = (Vec::new(), Vec::new());
    let slots = [None; SLOTS as usize];
    let mut graph = Graph { store, guest, nodes, slots, kept, numbers };
    for step in 0..steps {
        match graph.numbers.below(8) {
            0..3 => graph.make(),
            3 => _ = graph.keep(),
            _ => _ = graph.change(),
        }
        if graph.numbers.one_in(100) {
            graph.store.collect();
        }
        if step % 64 == 63 {
            graph.compare();
        }
    }
    assert!(graph.store.collections() > 0 || !mode.always);
    // Nothing is left when nothing refers to it.
    graph.kept.clear();
    for slot in 0..SLOTS {
        graph.run("drop", &[arg(slot)]);
    }
    let Some(Extern::Global(last)) = graph.guest.export("last") else { panic!("it is exported") };
    last.set(&Val::AnyRef(None)).expect("it can be null");
    drop(last);
    graph.store.collect();
    assert_eq!(graph.store.heap_used(), 0);
    assert_eq!(graph.store.len(), 1, "the instance alone");
}

#[test]
fn in_all_modes() {
    for (index, mode) in MODES.into_iter().enumerate() {
        for seed in 0..3 {
            graphs_are_what_their_models_are(mode, seed * 7 + index as u64, 2000);
        }
    }
}
