/**
 * How replies are waited for: main asleep, main spinning, or the shard looking for main's next send by itself as well.
 */
import { TwoArmedBandit, type WaitChoice } from './two-armed-bandit.js'

const SHORT_TRIAL = { ignored: 2, replies: 16, weight: 0.3 }
const mainWays: WaitChoice<'spins' | 'sleeps'> = {
  first: 'spins',
  second: 'sleeps',
  trialEvery: 4096,
  margins: { spins: 1.25, sleeps: 1.25 },
  trials: { spins: SHORT_TRIAL, sleeps: SHORT_TRIAL },
}

/**
 * With two threads awake the system takes some time to settle who runs where. And against an engine at the other end,
 * which needs the CPUs too, most replies come in half the time then and some in ten times as much: a few cannot show
 * that. It is 2 to 4 times as good against a peer with one thread, and has to go on being better at all.
 */
const LONG_TRIAL = { ignored: 16, replies: 64, weight: 1 }
const shardWays: WaitChoice<'sleeps' | 'stays awake'> = {
  first: 'sleeps',
  second: 'stays awake',
  trialEvery: 4096,
  margins: { sleeps: 1, 'stays awake': 1.6 },
  trials: { sleeps: LONG_TRIAL, 'stays awake': LONG_TRIAL },
}

export class SpinTuner {
  readonly #main = new TwoArmedBandit(mainWays)
  readonly #shard = new TwoArmedBandit(shardWays)

  /** Whether main spins. */
  get spins(): boolean {
    return this.#main.way === 'spins'
  }

  /** Whether shards look for main's news by themselves. */
  get shardsStayAwake(): boolean {
    // Two trials at a time would show nothing.
    if (this.#main.isTrying && this.#shard.isTrying) return false
    return this.spins && this.#shard.way === 'stays awake'
  }

  /** A reply has come `ms` after its send, having been spun for or not. */
  record(spun: boolean, ms: number): void {
    // A reply to a send from before a change of mode.
    if (spun !== this.spins) return
    const shardCounts = spun && !this.#main.isTrying
    // What is tried for shards says nothing about main, and the other way round.
    if (!shardCounts || !this.#shard.isTrying) this.#main.record(ms)
    if (shardCounts) this.#shard.record(ms)
  }
}
