//! Huffman codes by a heap, cut to a length afterwards, with the ties as zlib breaks them.
//!
//! After `trees.c` of zlib 1.3.1 (`build_tree`, `gen_bitlen`).

/// What is asked of a code.
#[derive(Clone, Copy)]
pub struct Tree {
    /// The longest code.
    pub limit: usize,
}

const NODES: usize = 2 * 288 + 1;

/// Nodes: leaves by symbol, then inner nodes.
struct Nodes {
    count: [u32; NODES],
    depth: [u8; NODES],
    parent: [u16; NODES],
}

impl Nodes {
    /// Whether `a` is taken before `b`; the shallower of two equal ones is.
    fn before(&self, a: u16, b: u16) -> bool {
        let (a, b) = (usize::from(a), usize::from(b));
        self.count[a] < self.count[b] || self.count[a] == self.count[b] && self.depth[a] <= self.depth[b]
    }

    /// Move the node at a place of the heap down to where it belongs. Places count from 1.
    fn sink(&self, heap: &mut [u16], place: usize) {
        let node = heap[place];
        let last = heap.len() - 1;
        let mut place = place;
        let mut child = place * 2;
        while child <= last {
            if child < last && self.before(heap[child + 1], heap[child]) {
                child += 1;
            }
            if self.before(node, heap[child]) {
                break;
            }
            heap[place] = heap[child];
            place = child;
            child = place * 2;
        }
        heap[place] = node;
    }
}

/// Code lengths for symbols that occur so often; at least two symbols get one.
pub fn lengths(counts: &[u32], tree: Tree, out: &mut [u8]) {
    let symbols = counts.len();
    let mut nodes = Nodes { count: [0; NODES], depth: [0; NODES], parent: [0; NODES] };
    nodes.count[..symbols].copy_from_slice(counts);
    let mut heap: Vec<u16> = vec![0];
    heap.extend((0..symbols).filter(|symbol| counts[*symbol] > 0).map(|symbol| symbol as u16));
    let mut last = heap.last().map_or(0, |symbol| usize::from(*symbol));
    let mut none = heap.len() == 1;
    while heap.len() < 3 {
        let symbol = if none {
            0
        } else if last < 2 {
            last + 1
        } else {
            0
        };
        none = false;
        last = last.max(symbol);
        nodes.count[symbol] = 1;
        heap.push(symbol as u16);
    }
    let order = join(&mut nodes, heap, symbols);
    cut(&nodes, &order, symbols, tree.limit, out);
}

/// Join nodes until one is left. Returns all, the root first, each before what was joined earlier.
fn join(nodes: &mut Nodes, mut heap: Vec<u16>, symbols: usize) -> Vec<u16> {
    for place in (1..=(heap.len() - 1) / 2).rev() {
        nodes.sink(&mut heap, place);
    }
    let mut taken = Vec::with_capacity(2 * symbols);
    let mut next = symbols as u16;
    while heap.len() > 2 {
        let first = heap[1];
        let moved = heap.pop().unwrap_or(0);
        if heap.len() > 1 {
            heap[1] = moved;
            nodes.sink(&mut heap, 1);
        }
        let second = heap[1];
        taken.extend([first, second]);
        let (a, b, inner) = (usize::from(first), usize::from(second), usize::from(next));
        nodes.count[inner] = nodes.count[a] + nodes.count[b];
        nodes.depth[inner] = nodes.depth[a].max(nodes.depth[b]) + 1;
        nodes.parent[a] = next;
        nodes.parent[b] = next;
        heap[1] = next;
        next += 1;
        nodes.sink(&mut heap, 1);
    }
    taken.push(heap[1]);
    taken.reverse();
    taken
}

/// Lengths from the tree, none above the limit.
fn cut(nodes: &Nodes, order: &[u16], symbols: usize, limit: usize, out: &mut [u8]) {
    out.fill(0);
    let mut depth = [0usize; NODES];
    let mut number = [0usize; 17];
    let mut over = 0isize;
    for node in &order[1..] {
        let node = usize::from(*node);
        let mut length = depth[usize::from(nodes.parent[node])] + 1;
        if length > limit {
            length = limit;
            over += 1;
        }
        depth[node] = length;
        if node < symbols {
            number[length] += 1;
            out[node] = length as u8;
        }
    }
    if over == 0 {
        return;
    }
    while over > 0 {
        let length = (1..limit).rev().find(|length| number[*length] > 0).unwrap_or(1);
        number[length] -= 1;
        number[length + 1] += 2;
        number[limit] -= 1;
        over -= 2;
    }
    let mut leaves = order.iter().rev().filter(|node| usize::from(**node) < symbols);
    for length in (1..=limit).rev() {
        for leaf in leaves.by_ref().take(number[length]) {
            out[usize::from(*leaf)] = length as u8;
        }
    }
}
