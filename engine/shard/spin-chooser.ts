/**
 * Decides how replies are waited for, by what each way has brought on this machine lately: main asleep, main spinning, or
 * the shard looking for main's next send by itself as well.
 *
 * Spinning wins while a CPU is free for it (it saves a wake-up) and loses as soon as it takes that CPU away from
 * whoever would answer. No figure tells this in advance, so all are measured: the mean time from send to reply of
 * the mode in use, and that of the others from short trials, in turn. Trials are rare enough (0.4 % of replies) not to
 * show in the 99th percentile; one comes early when the mode in use has become worse than another was.
 */

/** Replies between two trials of another mode. */
const TRIAL_EVERY = 4096
/** Replies before the first trial, and between a trial and one that comes early. */
const TRIAL_SOONEST = 1024
/** A mean that no wake-up explains, in milliseconds: somebody waits for a CPU, perhaps for the one that spins. */
const SLOW_MS = 0.2
/** Replies before the first trial while the mean is like that. Each that brings nothing doubles them. */
const SLOW_TRIAL_SOONEST = 64
/**
 * The first replies of a trial still feel the mode before. Its weight in the mean of its mode is small: a few replies cannot
 * show a tail that makes one in fifty slow.
 */
const SLEEP_TRIAL = { ignored: 2, replies: 16, weight: 0.3 }
/**
 * Longer, and of more weight: what spinning brought while the machine was busy says little, and must not keep it away for tens
 * of thousands of replies.
 */
const SPIN_TRIAL = { ignored: 4, replies: 40, weight: 0.8 }
/**
 * With two threads awake the system takes some time to settle who runs where. And against an engine at the other end, which
 * needs the CPUs too, most replies come in half the time then and some in ten times as much: a few cannot show that.
 */
const BOTH_TRIAL = { ignored: 16, replies: 96, weight: 1 }
/** Another mode must be so much better before it is taken. */
const MARGIN = 1.25
/**
 * And for two threads to stay awake, so much: it is 2 to 4 times as good against a peer with one thread, and hardly any better
 * against an engine. Once taken it has to go on being better at all.
 */
const BOTH_MARGIN = 1.6
/** Weight of one reply in the running mean. */
const WEIGHT = 1 / 64
/** Longer replies say nothing about waking: somebody was computing. */
const LONGEST_MS = 4

type Mode = 'sleep' | 'spin' | 'spin-both'
type State =
  | { readonly kind: 'using'; readonly mode: Mode; replies: number }
  | { readonly kind: 'trying'; readonly mode: Mode; readonly before: Mode; replies: number; sum: number }

const trials = { sleep: SLEEP_TRIAL, spin: SPIN_TRIAL, 'spin-both': BOTH_TRIAL }
/** In the order in which they are tried. */
const modes: readonly Mode[] = ['spin', 'spin-both', 'sleep']

export class SpinChooser {
  #state: State = { kind: 'using', mode: 'spin', replies: TRIAL_EVERY - TRIAL_SOONEST }
  /** Mean milliseconds from send to reply; undefined: never measured. */
  readonly #means: Record<Mode, number | undefined> = {
    spin: undefined,
    'spin-both': undefined,
    sleep: undefined,
  }
  #lastTried: Mode = 'spin'
  #slowTrialEvery = SLOW_TRIAL_SOONEST

  /** Whether main spins. */
  get spins(): boolean {
    return this.#state.mode !== 'sleep'
  }

  /** Whether shards look for main's news by themselves. */
  get shardsStayAwake(): boolean {
    return this.#state.mode === 'spin-both'
  }

  /** A reply has come `ms` after its send, having been spun for or not. */
  record(spun: boolean, ms: number): void {
    const state = this.#state
    // A reply to a send from before a change of mode.
    if (spun !== this.spins) return
    const sample = Math.min(ms, LONGEST_MS)
    state.replies++
    if (state.kind === 'using') this.#use(state, sample)
    else this.#try(state, sample)
  }

  #use(state: State & { kind: 'using' }, sample: number): void {
    const { mode } = state
    const mean = this.#means[mode]
    const now = mean === undefined ? sample : mean + (sample - mean) * WEIGHT
    this.#means[mode] = now
    if (now <= SLOW_MS) this.#slowTrialEvery = SLOW_TRIAL_SOONEST
    const isDue = state.replies >= (now > SLOW_MS ? this.#slowTrialEvery : TRIAL_EVERY)
    if (!isDue && state.replies < TRIAL_SOONEST) return
    const better = modes.find((other) => other !== mode && this.#isBetter(other, mode))
    if (better !== undefined) this.#startTrial(better, mode)
    else if (isDue) this.#startTrial(nextTo(this.#lastTried, mode), mode)
  }

  #startTrial(mode: Mode, before: Mode): void {
    this.#lastTried = mode
    this.#state = { kind: 'trying', mode, before, replies: 0, sum: 0 }
  }

  #try(state: State & { kind: 'trying' }, sample: number): void {
    const { mode, before } = state
    const { ignored, replies, weight } = trials[mode]
    if (state.replies > ignored) state.sum += sample
    if (state.replies < replies) return
    const tried = state.sum / (replies - ignored)
    const old = this.#means[mode]
    this.#means[mode] = old === undefined ? tried : old + (tried - old) * weight
    const won = this.#isBetter(mode, before)
    this.#slowTrialEvery = won ? SLOW_TRIAL_SOONEST : Math.min(TRIAL_EVERY, this.#slowTrialEvery * 2)
    this.#state = { kind: 'using', mode: won ? mode : before, replies: 0 }
  }

  #isBetter(other: Mode, used: Mode): boolean {
    const mean = this.#means[other]
    const now = this.#means[used]
    if (mean === undefined || now === undefined) return false
    return mean * marginOf(other, used) < now
  }
}

function marginOf(other: Mode, used: Mode): number {
  if (other === 'spin-both') return BOTH_MARGIN
  return used === 'spin-both' ? 1 : MARGIN
}

/** The mode after the one that was tried last, other than the one in use. */
function nextTo(last: Mode, used: Mode): Mode {
  const others = modes.filter((mode) => mode !== used)
  return others.find((mode) => modes.indexOf(mode) > modes.indexOf(last)) ?? others[0] ?? used
}
