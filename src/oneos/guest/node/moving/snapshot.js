'use strict';
// V8's heap snapshot, for what nothing else tells: who waits for a promise, and objects that only a
// scope, an iterator or a suspended function holds. It is taken once, and only if it is needed.

const { types } = require('util');
const { internalBinding } = require('./internals');
const { NotMovable } = require('./moving/refusal');

// The text of a snapshot, with numbers. The inspector gives the same, as texts within texts.
function take() {
  const pieces = [];
  const stream = internalBinding('heap_utils').createHeapSnapshotStream(new Uint8Array([0, 1]));
  stream.onread = (piece) => { if (piece) pieces.push(Buffer.from(piece)); };
  stream.readStart();
  return Buffer.concat(pieces).toString('latin1');
}

class HeapSnapshot {
  // `isWanted(fn)`: whether a function is one that the program may have made.
  constructor(inspector, isWanted) {
    this.inspector = inspector;
    this.isWanted = isWanted;
    const { snapshot: { meta }, nodes, edges, strings } = JSON.parse(take());
    this.nodes = nodes;
    this.edgesOf = edges;
    this.strings = strings;
    this.nodeTypes = meta.node_types[0];
    this.edgeTypes = meta.edge_types[0];
    this.nodeFields = meta.node_fields.length;
    this.edgeFields = meta.edge_fields.length;
    this.index();
    this.lives = new Map();
  }

  index() {
    const { nodes, nodeFields, edgeFields } = this;
    const count = nodes.length / nodeFields;
    this.first = new Uint32Array(count + 1);
    this.byId = new Map();
    let edge = 0;
    for (let i = 0; i < count; i++) {
      this.first[i] = edge;
      edge += nodes[i * nodeFields + 4] * edgeFields;
      this.byId.set(nodes[i * nodeFields + 2], i * nodeFields);
    }
    this.first[count] = edge;
  }

  nameOf(node) { return this.strings[this.nodes[node + 1]]; }

  typeOf(node) { return this.nodeTypes[this.nodes[node]]; }

  // {type, name, to} of each edge of a node; the name is a number for hidden ones and elements.
  edges(node) {
    const found = [];
    const at = node / this.nodeFields;
    for (let k = this.first[at]; k < this.first[at + 1]; k += this.edgeFields) {
      const type = this.edgeTypes[this.edgesOf[k]];
      const name = type === 'element' || type === 'hidden' ? this.edgesOf[k + 1] :
        this.strings[this.edgesOf[k + 1]];
      found.push({ type, name, to: this.edgesOf[k + 2] });
    }
    return found;
  }

  edge(node, name, type) {
    return this.edges(node)
      .find((edge) => edge.name === name && (type === undefined || edge.type === type))?.to;
  }

  nodeOf(object) {
    const { heapSnapshotObjectId: id } = this.inspector.post('HeapProfiler.getHeapObjectId', {
      objectId: this.inspector.idOf(object),
    });
    const node = this.byId.get(Number(id));
    if (node === undefined) throw new NotMovable('an object is missing in the heap snapshot');
    return node;
  }

  // Finding one object by its number takes V8 a look through the whole heap; so all that may be
  // asked for of the two commonest kinds are numbered in one go.
  number(prototype, isWanted) {
    const { objects } = this.inspector.post('Runtime.queryObjects', {
      prototypeObjectId: this.inspector.idOf(prototype), objectGroup: 'oneos',
    });
    for (const object of Array.from(this.inspector.objectOf(objects.objectId))) {
      if (!isWanted(object)) continue;
      const { heapSnapshotObjectId: id } = this.inspector.post('HeapProfiler.getHeapObjectId', {
        objectId: this.inspector.idOf(object),
      });
      const node = this.byId.get(Number(id));
      if (node !== undefined) this.lives.set(node, object);
    }
  }

  // The object behind a node.
  live(node) {
    if (!this.hasFunctions && this.typeOf(node) === 'closure') {
      this.hasFunctions = true;
      this.number(Function.prototype, this.isWanted);
    } else if (!this.hasPromises && this.nameOf(node) === 'Promise') {
      this.hasPromises = true;
      this.number(Promise.prototype, types.isPromise);
    }
    if (!this.lives.has(node)) {
      const { result } = this.inspector.post('HeapProfiler.getObjectByHeapObjectId', {
        objectId: String(this.nodes[node + 2]), objectGroup: 'oneos',
      });
      this.lives.set(node, this.inspector.objectOf(result.objectId));
    }
    return this.lives.get(node);
  }

  isObject(node) { return ['object', 'closure', 'regexp'].includes(this.typeOf(node)); }

  // The context that lies `depth` above that of a function or generator.
  contextOf({ holder, depth }) {
    let at = this.edge(this.nodeOf(holder), 'context');
    for (let i = 0; i < depth; i++) at = this.edge(at, 'previous');
    return at;
  }

  // `this` as a context has it.
  thisOf(context) {
    const node = this.edge(this.contextOf(context), 'this', 'context');
    return node !== undefined && this.isObject(node) ? this.live(node) : undefined;
  }

  // What an array iterator goes over.
  iteratedBy(iterator) {
    const found = this.edges(this.nodeOf(iterator))
      .filter(({ type, to }) => type === 'hidden' && this.isObject(to));
    if (found.length !== 1) throw new NotMovable('an iterator that is not understood');
    return this.live(found[0].to);
  }

  // The map or set that an iterator goes over: the one with the same table; undefined if it is
  // gone.
  tableOf(iterator, name) {
    const tables = new Set(this.edges(this.nodeOf(iterator))
      .filter(({ name }) => name !== 'map' && name !== '__proto__')
      .map(({ to }) => to));
    for (let node = 0; node < this.nodes.length; node += this.nodeFields) {
      if (this.nameOf(node) === name && this.typeOf(node) === 'object' &&
          tables.has(this.edge(node, 'table'))) return this.live(node);
    }
    return undefined;
  }
}

module.exports = { HeapSnapshot };
