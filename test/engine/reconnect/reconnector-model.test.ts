/**
 * A reconnecting connection under random losses, refusals, sends and clock advances: every frame is accounted for
 * exactly once, order is kept both ways, and reports come where they belong among the frames received.
 */
import test from 'ava'
import fc from 'fast-check'
import type { LossReport } from '../../../engine/reconnect/reconnecting-settings.js'
import { FakeTracked } from '../../helpers/fake-tracked-connection.js'
import { breakerFor, FakeReconnecting, TurningClock } from '../../helpers/fake-reconnecting.js'
import { Random } from '../../helpers/random.js'
import { turns } from '../../helpers/turns.js'

const WATCHDOG_MS = 150_000
const RUNS = 200

type Step =
  | { readonly kind: 'send'; readonly count: number }
  | { readonly kind: 'answer'; readonly refused: boolean; readonly room: number }
  | { readonly kind: 'hand over'; readonly count: number }
  | { readonly kind: 'deliver'; readonly count: number }
  | { readonly kind: 'lose'; readonly clean: boolean; readonly unconfirmed: number }
  | { readonly kind: 'read'; readonly count: number }
  | { readonly kind: 'pass'; readonly ms: number }

const small = fc.integer({ min: 0, max: 4 })

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('send' as const), count: small }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      refused: fc.boolean(),
      room: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('hand over' as const), count: small }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('deliver' as const), count: small }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('lose' as const), clean: fc.boolean(), unconfirmed: small }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), count: small }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 1500 }) }),
  },
)

interface Setup {
  readonly unsent: 'resend' | 'drop'
  readonly reader: 'pull' | 'subscriber'
  readonly greets: boolean
  readonly hasBreaker: boolean
  readonly seed: number
}

const setup: fc.Arbitrary<Setup> = fc.record({
  unsent: fc.constantFrom('resend', 'drop'),
  reader: fc.constantFrom('pull', 'subscriber'),
  greets: fc.boolean(),
  hasBreaker: fc.boolean(),
  seed: fc.nat(),
})

/** One run, and the books that are kept of it from outside. */
class Run {
  readonly fake: FakeReconnecting
  readonly #setup: Setup
  readonly #clock = new TurningClock()
  readonly #random: Random
  /** What the reader was given and told, in order. */
  readonly #story: (string | LossReport)[] = []
  #sent = 0
  #said = 0
  readonly #spoken = new Map<FakeTracked, string[]>()

  constructor(settings: Setup) {
    this.#setup = settings
    this.#random = new Random(settings.seed)
    const { unsent, greets, hasBreaker } = settings
    this.fake = new FakeReconnecting(
      {
        unsent,
        maxPendingBytes: 1_000_000,
        random: () => this.#random.next() / 2 ** 32,
        backoff: { initialMs: 100, maxMs: 1000, factor: 3, jitter: 'decorrelated' },
        onLoss: (report) => this.#story.push(report),
        onConnected: greets ? (connection) => connection.send('greeting') : undefined,
        breaker: hasBreaker ? breakerFor(this.#clock) : undefined,
      },
      this.#clock,
    )
    if (settings.reader === 'subscriber') {
      this.fake.reconnecting.subscribe((frame) => {
        this.#story.push(String(frame))
        return this.#random.oneIn(3) ? turns() : undefined
      })
    }
  }

  get #current(): FakeTracked | undefined {
    const last = this.fake.dialler.connections.at(-1)
    return last?.isOver === false ? last : undefined
  }

  async take(action: Step): Promise<void> {
    const { reconnecting, dialler, clock } = this.fake
    switch (action.kind) {
      case 'send':
        for (let i = 0; i < action.count; i++) reconnecting.send(`s${String(this.#sent++)}`)
        break
      case 'answer': {
        if (dialler.pending === 0) break
        const connection = new FakeTracked()
        connection.room = action.room
        if (action.refused) dialler.refuse()
        else dialler.accept(connection)
        break
      }
      case 'hand over':
        this.#current?.handOver(action.count)
        break
      case 'deliver': {
        const current = this.#current
        if (current === undefined) break
        const frames = Array.from({ length: action.count }, () => `r${String(this.#said++)}`)
        this.#spoken.set(current, [...(this.#spoken.get(current) ?? []), ...frames])
        current.deliver(...frames)
        break
      }
      case 'lose':
        this.#current?.lose(action.clean ? 'OK' : 'ERR_RESET', action.unconfirmed)
        break
      case 'read':
        if (this.#setup.reader === 'pull') await this.#read(action.count)
        break
      case 'pass':
        clock.advance(action.ms)
        break
    }
    // Not always a whole turn: what follows may come in the middle of what this began.
    for (let i = this.#random.below(4); i > 0; i--) await Promise.resolve()
    if (this.#random.oneIn(2)) await turns(2)
  }

  /** Takes up to so many frames, as long as there are any. */
  async #read(count: number): Promise<void> {
    const found = { nothing: false }
    for (let i = 0; i < count && !found.nothing; i++) {
      const waiting = this.fake.reconnecting.receive({ timeoutMs: 1 }).then(
        (frame) => {
          this.#story.push(String(frame))
        },
        () => {
          found.nothing = true
        },
      )
      await turns(3)
      this.#clock.advance(1)
      await waiting
    }
  }

  /** The peer is there to stay; everything leaves, and everything is read. */
  async finish(): Promise<void> {
    const { reconnecting, dialler, clock } = this.fake
    await turns(2)
    for (let i = 0; reconnecting.state !== 'connected'; i++) {
      if (i > 200) throw new Error(`it does not connect: ${reconnecting.state}`)
      if (dialler.pending > 0) dialler.accept()
      await turns(3)
      clock.advance(300)
      await turns(3)
    }
    for (let i = 0; reconnecting.pendingBytes > 0; i++) {
      if (i > 200) throw new Error('it does not drain')
      this.#current?.handOver()
      await turns(2)
    }
    // When it is closed, every report that is due comes at once: what is unread is to be read before.
    if (this.#setup.reader === 'pull') await this.#read(Infinity)
    else await turns(60)
    const closing = reconnecting.close()
    this.#current?.finishEnd()
    this.#current?.lose('OK')
    const { code } = await closing
    if (code !== 'OK') throw new Error(`it ended with ${code}`)
  }

  /** What is wrong; undefined: nothing. */
  check(): string | undefined {
    return this.#checkSent() ?? this.#checkReceived()
  }

  /** Out of each connection's books: what was handed over, then what its report says of the rest. */
  #checkSent(): string | undefined {
    const reports = this.#story.filter((entry) => typeof entry !== 'string')
    const { connections } = this.fake.dialler
    const accounted: string[] = []
    // Greeted ones only: an attempt that fails in the middle of its greeting carried nothing.
    const carried = connections.filter(({ asked }) => !(asked[0] === 'destroy'))
    let place = 0
    for (const connection of carried) {
      const own = connection.taken.map(String).filter((text) => text !== 'greeting')
      const greetings = connection.taken.length - own.length
      const left = own.slice(0, Math.max(0, connection.handedOver - greetings))
      accounted.push(...left)
      const report = reports[place]
      if (connection === carried.at(-1)) {
        if (left.length !== own.length) return 'the last connection kept frames'
        continue
      }
      place++
      if (report === undefined) return `loss ${String(place)} was not reported`
      if (report.connection !== place) return `report ${String(report.connection)} came as number ${String(place)}`
      if (report.handedOver !== left.length)
        return `report ${String(place)}: ${String(report.handedOver)} handed over, not ${String(left.length)}`
      accounted.push(...report.unconfirmed.map(String), ...report.dropped.map(String))
      const rest = own.slice(left.length).length - report.unconfirmed.length
      if (rest !== report.resent + report.dropped.length) return `report ${String(place)} does not add up`
      if (this.#setup.unsent === 'resend' && report.dropped.length > 0) return 'dropped for no reason'
    }
    const expected = Array.from({ length: this.#sent }, (_, i) => `s${String(i)}`)
    return same(accounted, expected) ? undefined : `sent: ${accounted.join(' ')}`
  }

  #checkReceived(): string | undefined {
    const received = this.#story.filter((entry) => typeof entry === 'string')
    const reports = this.#story.filter((entry) => typeof entry !== 'string')
    const carried = this.fake.dialler.connections.filter(({ asked }) => !(asked[0] === 'destroy'))
    const expected: string[] = []
    const story = [...this.#story]
    for (const [i, connection] of carried.entries()) {
      const spoken = this.#spoken.get(connection) ?? []
      const dropped = reports[i]?.unreadDropped ?? 0
      const given = spoken.slice(0, spoken.length - dropped)
      expected.push(...given)
      if (!same(story.splice(0, given.length).map(describe), given)) return `connection ${String(i + 1)} out of order`
      if (i < carried.length - 1 && typeof story.shift() === 'string') return `report ${String(i + 1)} out of place`
    }
    if (story.length > 0) return `more than there was: ${story.map(describe).join(' ')}`
    return same(received, expected) ? undefined : `received: ${received.join(' ')}`
  }
}

function describe(entry: string | LossReport): string {
  return typeof entry === 'string' ? entry : `[lost ${String(entry.connection)}]`
}

function same(found: readonly string[], expected: readonly string[]): boolean {
  return found.length === expected.length && found.every((text, i) => text === expected[i])
}

test('whatever happens, every frame is accounted for once and in order, both ways', async (t) => {
  t.timeout(WATCHDOG_MS)
  const steps = fc.array(step, { minLength: 5, maxLength: 60 })
  const property = fc.asyncProperty(setup, steps, async (settings, actions) => {
    const run = new Run(settings)
    for (const action of actions) await run.take(action)
    await run.finish()
    const problem = run.check()
    if (problem !== undefined) throw new Error(problem)
  })
  await fc.assert(property, { numRuns: RUNS, includeErrorInReport: true })
  t.pass()
})
