/**
 * Which shard a new connection goes to: the one with the most room. A thread that is clearly busier than another gets
 * none, whatever its connections are; among the others the number of connections decides. See
 * docs/decisions/accept-sharding.md.
 */
import type { Clock } from '../protocol/clock.js'

/** How long a sample is gone by. Samples are taken when a connection is placed: nothing runs while none is. */
const SAMPLE_MS = 200
/** A sample of so long a time replaces those before it, a shorter one in part: a burst of connections is no load. */
const LASTING_MS = 500
/** Shards whose utilisation differs by no more than this are as good as each other. */
const TIE = 0.5
/** What a connection is taken to cost until the next sample says it: so that a burst does not all go to one shard. */
const SHARE = 0.005

/** How long an event loop has worked and slept since its thread started, in milliseconds. */
export interface EventLoopTimes {
  readonly active: number
  readonly idle: number
}

/** The part of its time that an event loop worked between the last two samples, from 0 to 1. */
export class Utilization {
  readonly #read: () => EventLoopTimes
  readonly #clock: Clock
  #last: (EventLoopTimes & { readonly at: number }) | undefined
  #value = 0
  #lasting = 0
  #placed = 0

  /** `read` may be called while the thread is blocked. */
  constructor(read: () => EventLoopTimes, clock: Clock) {
    this.#read = read
    this.#clock = clock
  }

  /** From here on it is counted: what a thread does while it starts says nothing of later. */
  begin(): void {
    this.#sample()
  }

  /** 0 until there have been two samples. */
  get value(): number {
    this.#sample()
    return this.#value
  }

  /** Of the last while. */
  get lasting(): number {
    this.#sample()
    return this.#lasting
  }

  /** What was placed there since the sample is taken to add. */
  get expectedMore(): number {
    return this.#placed * SHARE
  }

  placed(): void {
    this.#placed++
  }

  #sample(): void {
    const at = this.#clock.now()
    const last = this.#last
    if (last !== undefined && at - last.at < SAMPLE_MS) return
    const { active, idle } = this.#read()
    this.#last = { active, idle, at }
    this.#placed = 0
    if (last === undefined) return
    const worked = Math.max(0, active - last.active)
    const all = worked + Math.max(0, idle - last.idle)
    this.#value = all > 0 ? worked / all : 0
    this.#lasting += (this.#value - this.#lasting) * Math.min(1, (at - last.at) / LASTING_MS)
  }
}

export interface Placeable {
  readonly utilization: Utilization
}

/** The first of equals. Undefined: there are none. */
export function place<S extends Placeable>(shards: readonly S[], connectionsOf: (shard: S) => number): S | undefined {
  const busiest = Math.max(...shards.map(({ utilization }) => utilization.lasting))
  // A guess makes no shard look busier than one that was seen to be busy.
  const expectedOf = ({ utilization }: S): number => Math.min(busiest, utilization.lasting + utilization.expectedMore)
  const least = Math.min(...shards.map(expectedOf))
  let best: S | undefined
  let fewest = Infinity
  for (const shard of shards) {
    const connections = connectionsOf(shard)
    if (connections >= fewest || expectedOf(shard) > least + TIE) continue
    best = shard
    fewest = connections
  }
  best?.utilization.placed()
  return best
}
