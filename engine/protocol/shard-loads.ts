/**
 * How many connections each shard of an engine has, where every shard can see it without asking: one cache line a
 * shard.
 */
const CONNECTIONS = 0
/** Connections that it has offered to others and that nobody has counted yet. */
const LEAVING = 1
/** Of those, the ones that main sends to this shard; main writes it, and the shard all else. */
const COMING = 2
const WORDS_A_SHARD = 16
/** As the number of connections: this shard is not up. */
const ABSENT = -1

export class ShardLoads {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory
    this.#words = new Int32Array(memory)
  }

  static create(shards: number): ShardLoads {
    const loads = new ShardLoads(new SharedArrayBuffer(shards * WORDS_A_SHARD * Int32Array.BYTES_PER_ELEMENT))
    for (let shard = 0; shard < shards; shard++) loads.remove(shard)
    return loads
  }

  /** The shard is up, and has nothing. */
  add(shard: number): void {
    this.#set(shard, 0)
  }

  /** The shard is gone. */
  remove(shard: number): void {
    this.#set(shard, ABSENT)
  }

  /** With those that come from other shards. */
  connectionsOf(shard: number): number {
    const at = shard * WORDS_A_SHARD
    return Atomics.load(this.#words, at + CONNECTIONS) + Atomics.load(this.#words, at + COMING)
  }

  addConnections(shard: number, by: number): void {
    Atomics.add(this.#words, shard * WORDS_A_SHARD + CONNECTIONS, by)
  }

  addLeaving(shard: number, by: number): void {
    Atomics.add(this.#words, shard * WORDS_A_SHARD + LEAVING, by)
  }

  addComing(shard: number, by: number): void {
    Atomics.add(this.#words, shard * WORDS_A_SHARD + COMING, by)
  }

  /** The shards that are up, and what they have. */
  get total(): { readonly all: number; readonly shards: number } {
    let all = 0
    let shards = 0
    for (let at = 0; at < this.#words.length; at += WORDS_A_SHARD) {
      const connections = Atomics.load(this.#words, at + CONNECTIONS)
      if (connections === ABSENT) continue
      // What is on its way to another shard counts there in the end: without it, one that is slow to take it up would
      // be given everything.
      all += connections + Atomics.load(this.#words, at + LEAVING)
      shards++
    }
    return { all, shards }
  }

  #set(shard: number, connections: number): void {
    const at = shard * WORDS_A_SHARD
    Atomics.store(this.#words, at + LEAVING, 0)
    Atomics.store(this.#words, at + COMING, 0)
    Atomics.store(this.#words, at + CONNECTIONS, connections)
  }
}
