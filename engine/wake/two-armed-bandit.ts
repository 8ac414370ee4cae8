/**
 * Decides between two ways to wait for replies, by how soon each has brought them lately.
 *
 * Staying awake wins while a CPU is free for it (it saves a wake-up) and loses when it takes the CPU of the thread that
 * is to answer. No figure tells this in advance, so both are measured: the mean time from send to reply of the way in
 * use, and that of the other in short trials. Trials are too rare to show in the 99th percentile; one comes early when
 * the way in use has become worse than the other was.
 */

/** Replies between two trials. */
const TRIAL_EVERY = 4096
/** Replies before the first trial, and between a trial and one that comes early. */
const TRIAL_SOONEST = 1024
/** Weight of one reply in the running mean. */
const WEIGHT = 1 / 64
/** A longer time says nothing about waking: the peer was computing. */
const LONGEST_MS = 4

export interface WaitChoice<Way extends string> {
  readonly first: Way
  readonly second: Way
  /** By which factor a way must be better than the other before it is taken. */
  readonly margins: Readonly<Record<Way, number>>
  readonly trial: {
    readonly replies: number
    /** The first replies of a trial, which the way before still slows or speeds up. */
    readonly ignored: number
    /** Weight in the mean of its way: a few replies cannot show that one in fifty is slow. */
    readonly weight: number
  }
}

type State<Way> =
  | { readonly kind: 'using'; readonly way: Way; replies: number }
  | { readonly kind: 'trying'; readonly way: Way; readonly before: Way; replies: number; sum: number }

export class TwoArmedBandit<Way extends string> {
  readonly #choice: WaitChoice<Way>
  #state: State<Way>
  /** Milliseconds from send to reply, of the ways that were measured. */
  readonly #means = new Map<Way, number>()

  constructor(choice: WaitChoice<Way>) {
    this.#choice = choice
    this.#state = { kind: 'using', way: choice.first, replies: TRIAL_EVERY - TRIAL_SOONEST }
  }

  get way(): Way {
    return this.#state.way
  }

  /** Whether `way` is only being tried. */
  get isTrying(): boolean {
    return this.#state.kind === 'trying'
  }

  /** A reply has come `ms` after its send, with `way` in use. */
  record(ms: number): void {
    const state = this.#state
    const sample = Math.min(ms, LONGEST_MS)
    state.replies++
    if (state.kind === 'using') this.#use(state, sample)
    else this.#try(state, sample)
  }

  #use(state: State<Way> & { kind: 'using' }, sample: number): void {
    const { way } = state
    const mean = this.#means.get(way) ?? sample
    this.#means.set(way, mean + (sample - mean) * WEIGHT)
    const other = this.#otherThan(way)
    const overtaken = state.replies >= TRIAL_SOONEST && this.#isBetter(other, way)
    if (state.replies >= TRIAL_EVERY || overtaken) {
      this.#state = { kind: 'trying', way: other, before: way, replies: 0, sum: 0 }
    }
  }

  #try(state: State<Way> & { kind: 'trying' }, sample: number): void {
    const { way, before } = state
    const { ignored, replies, weight } = this.#choice.trial
    if (state.replies > ignored) state.sum += sample
    if (state.replies < replies) return
    const tried = state.sum / (replies - ignored)
    const mean = this.#means.get(way) ?? tried
    this.#means.set(way, mean + (tried - mean) * weight)
    this.#state = { kind: 'using', way: this.#isBetter(way, before) ? way : before, replies: 0 }
  }

  #otherThan(way: Way): Way {
    return way === this.#choice.first ? this.#choice.second : this.#choice.first
  }

  #isBetter(way: Way, used: Way): boolean {
    const mean = this.#means.get(way)
    const now = this.#means.get(used)
    return mean !== undefined && now !== undefined && mean * this.#choice.margins[way] < now
  }
}
