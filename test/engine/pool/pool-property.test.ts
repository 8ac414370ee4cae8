/** A pool under whatever may happen: its counts add up after every step, and no request is forgotten. */
import test from 'ava'
import fc from 'fast-check'
import type { Lease } from '../../../engine/pool/lease.js'
import { TransportError } from '../../../engine/protocol/errors.js'
import type { ReuseBlocker } from '../../../engine/common/reuse-blocker.js'
import { FakePool, settled, type FakeConnection, type FakeView } from '../../helpers/fake-pool.js'
import { byLength } from '../../helpers/length.js'

const WATCHDOG_MS = 120_000

type Step =
  | { readonly kind: 'acquire'; readonly timeoutMs: number | undefined }
  | { readonly kind: 'abort' | 'release' | 'destroy' | 'refuse' | 'deny' | 'finish'; readonly which: number }
  | { readonly kind: 'connect'; readonly unfit: ReuseBlocker | undefined }
  | { readonly kind: 'spoil'; readonly which: number; readonly why: ReuseBlocker; readonly told: boolean }
  | { readonly kind: 'judge'; readonly which: number; readonly verdict: 'good' | 'bad' | 'broken' }
  | { readonly kind: 'advance' | 'stall'; readonly ms: number }
  | { readonly kind: 'resize'; readonly min: number; readonly more: number }
  | { readonly kind: 'close'; readonly graceMs: number | undefined }
  | { readonly kind: 'cut' }

const which = fc.nat(20)
const why = fc.constantFrom<ReuseBlocker>('ended', 'unsent', 'busy', 'unread')
const ms = fc.constantFrom(0, 1, 10, 99, 100, 101, 500, 1_000, 2_000, 10_000)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('acquire' as const),
      timeoutMs: fc.option(ms, { nil: undefined }),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('release' as const), which }) },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constant('connect' as const),
      unfit: fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: why }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('abort' as const, 'destroy' as const, 'refuse' as const, 'finish' as const),
      which,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deny' as const), which }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('spoil' as const), which, why, told: fc.boolean() }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('judge' as const),
      which,
      verdict: fc.constantFrom('good' as const, 'good' as const, 'bad' as const, 'broken' as const),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('advance' as const, 'stall' as const), ms }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('resize' as const), min: fc.nat(3), more: fc.nat(4) }),
  },
)
const ending: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('close' as const), graceMs: fc.option(ms, { nil: undefined }) }),
  fc.record({ kind: fc.constant('cut' as const) }),
)
/** Few pools are closed on the way, and when one is, things go on happening. */
const story = fc.tuple(
  fc.array(step, { maxLength: 60 }),
  fc.array(fc.oneof({ weight: 4, arbitrary: step }, { weight: 1, arbitrary: ending }), { maxLength: 15 }),
)

interface Request {
  readonly id: number
  readonly controller: AbortController
  outcome: 'pending' | 'granted' | 'rejected'
}

class Story {
  readonly #fake: FakePool
  readonly #requests: Request[] = []
  readonly #held: { readonly lease: Lease<FakeView>; readonly connection: FakeConnection }[] = []
  readonly #verdicts: ((verdict: 'good' | 'bad' | 'broken') => void)[] = []
  readonly #used = new Set<FakeConnection>()
  #grants = 0
  #reuses = 0
  #min: number
  #max: number
  #isClosing = false

  constructor(min: number, more: number, validates: boolean, lifetime: boolean) {
    this.#min = min
    this.#max = Math.max(1, min + more)
    this.#fake = new FakePool(
      {
        min,
        max: this.#max,
        maxLifetimeMs: lifetime ? 3_000 : undefined,
        acquireTimeoutMs: 5_000,
        validate: validates
          ? () =>
              new Promise((resolve, reject) => {
                this.#verdicts.push((verdict) => {
                  if (verdict === 'broken') reject(new Error('broken'))
                  else resolve(verdict === 'good')
                })
              })
          : undefined,
      },
      () => 0.5,
    )
  }

  async run(steps: readonly Step[]): Promise<void> {
    for (const one of steps) {
      const dialled = this.#fake.dialled
      await this.#take(one)
      await settled()
      this.#check(this.#fake.dialled > dialled)
    }
  }

  /** However the story went, everything comes to an end. */
  async end(): Promise<void> {
    const { clock, pool, made, dials } = this.#fake
    let isClosed = false
    void pool.closed.then(() => {
      isClosed = true
    })
    void pool.close(100)
    this.#isClosing = true
    clock.advance(100)
    await settled()
    // If another test had closed it, for ever.
    pool.cut()
    await settled()
    assert(isClosed, 'the pool is closed')
    while (dials.length > 0) await this.#fake.connect()
    this.#check(false)
    const { size, waiting, created, destroyed } = pool.stats()
    assert(size === 0 && waiting === 0 && created === destroyed, 'nothing is left')
    assert(
      made.every(({ phase }) => phase === 'closed' || phase === 'destroyed'),
      'no connection is left',
    )
    assert(
      this.#requests.every(({ outcome }) => outcome !== 'pending'),
      'every promise has settled',
    )
    assert(clock.armed === 0, `no timer is left, of ${String(clock.armed)}`)
    assert(
      this.#held.every(({ lease }) => !lease.isHeld),
      'no lease is held',
    )
  }

  async #take(one: Step): Promise<void> {
    const { pool, clock, dials, made } = this.#fake
    switch (one.kind) {
      case 'acquire':
        this.#acquire(one.timeoutMs)
        break
      case 'abort':
        pick(
          this.#requests.filter(({ outcome }) => outcome === 'pending'),
          one.which,
        )?.controller.abort()
        break
      case 'release':
      case 'destroy': {
        const held = pick(this.#held, one.which)
        if (held === undefined) break
        this.#held.splice(this.#held.indexOf(held), 1)
        if (one.kind === 'release') held.lease.release()
        else held.lease.destroy()
        break
      }
      case 'connect':
        if (dials.length > 0) await this.#fake.connect(one.unfit)
        break
      case 'refuse':
        if (dials.length > 0) await this.#fake.refuse()
        break
      case 'deny':
        if (dials.length > 0) await this.#fake.refuse(new TransportError('ERR_ACCESS', 'denied'))
        break
      case 'finish':
        pick(
          made.filter(({ phase }) => phase === 'closing'),
          one.which,
        )?.finishClosing()
        break
      case 'spoil':
        pick(
          made.filter(({ isAlive }) => isAlive),
          one.which,
        )?.spoil(one.why, one.told)
        break
      case 'judge': {
        const judge = pick(this.#verdicts, one.which)
        if (judge === undefined) break
        this.#verdicts.splice(this.#verdicts.indexOf(judge), 1)
        judge(one.verdict)
        break
      }
      case 'advance':
        clock.advance(one.ms)
        break
      case 'stall':
        clock.stall(one.ms)
        break
      case 'resize':
        if (!pool.isOpen) break
        this.#min = one.min
        this.#max = Math.max(1, one.min + one.more)
        pool.resize({ min: this.#min, max: this.#max })
        break
      case 'close':
        this.#isClosing = true
        void pool.close(one.graceMs)
        break
      case 'cut':
        pool.cut()
        break
    }
  }

  #acquire(timeoutMs: number | undefined): void {
    const request: Request = {
      id: this.#requests.length,
      controller: new AbortController(),
      outcome: 'pending',
    }
    this.#requests.push(request)
    this.#fake.pool.acquire({ signal: request.controller.signal, timeoutMs }).then(
      (lease) => {
        const earlier = this.#requests.find(({ id, outcome }) => id < request.id && outcome === 'pending')
        assert(earlier === undefined, `${String(request.id)} has overtaken ${String(earlier?.id)}`)
        request.outcome = 'granted'
        this.#grants++
        const { connection } = lease.connection
        assert(connection.reuseBlocker === undefined, 'what was lent was fit')
        if (this.#used.has(connection)) this.#reuses++
        this.#used.add(connection)
        this.#held.push({ lease, connection })
      },
      (error: unknown) => {
        assert(error instanceof TransportError, String(error))
        request.outcome = 'rejected'
      },
    )
  }

  #check(hasDialled: boolean): void {
    const { pool, made, dials, clock } = this.#fake
    const stats = pool.stats()
    const { size, connecting, validating, idle, leased, waiting, created, destroyed } = stats
    const state = JSON.stringify(stats)
    assert(
      [size, connecting, validating, idle, leased, waiting].every((count) => count >= 0),
      state,
    )
    assert(size === connecting + validating + idle + leased, `the size adds up: ${state}`)
    assert(created - destroyed === validating + idle + leased, `what lives adds up: ${state}`)
    assert(created === made.length, `created: ${state}`)
    assert(connecting === dials.length, `connecting: ${state}`)
    const held = this.#held.filter(({ lease }) => lease.isHeld)
    assert(leased === held.length, `leased: ${state}`)
    assert(new Set(held.map(({ connection }) => connection)).size === held.length, 'no connection is lent twice')
    const count = (...phases: readonly string[]): number => made.filter(({ phase }) => phases.includes(phase)).length
    assert(count('resting') === idle, `what rests is idle: ${state}`)
    assert(count('awake') === leased + validating, `what is awake is in use: ${state}`)
    const pending = this.#requests.filter(({ outcome }) => outcome === 'pending')
    assert(waiting === pending.length, `waiting: ${state}`)
    assert(stats.acquired === this.#grants && stats.reused === this.#reuses, `reuse: ${state}`)
    assert(!hasDialled || size <= this.#max, `over the maximum: ${state}`)
    assert(idle === 0 || waiting <= validating, `a request waits beside an idle connection: ${state}`)
    if (waiting === 0 && !this.#isClosing) assert(clock.keepingAlive === 0, 'no timer keeps the process alive')
    if (waiting > 0) assert(clock.keepingAlive > 0, 'who waits keeps the process alive')
    if (pool.isOpen && waiting > connecting + validating && size < this.#max && connecting === 0)
      assert(clock.armed > clock.keepingAlive, `nothing is done for a request that waits: ${state}`)
    if (pool.isOpen && size < this.#min && connecting === 0)
      assert(clock.armed > clock.keepingAlive, `nothing makes up for the minimum: ${state}`)
  }
}

function pick<Item>(items: readonly Item[], which: number): Item | undefined {
  return items.length === 0 ? undefined : items[which % items.length]
}

let failures: string[] = []

/** Collected rather than thrown: some of it is found inside callbacks. */
function assert(holds: boolean, what: string): void {
  if (!holds) failures.push(what)
}

for (const validates of [false, true]) {
  test.serial(
    `whatever happens, the counts add up and no request is forgotten${validates ? ', validating' : ''}`,
    async (t) => {
      t.timeout(WATCHDOG_MS)
      await fc.assert(
        fc.asyncProperty(fc.nat(3), fc.nat(4), fc.boolean(), story, async (min, more, lifetime, [first, then]) => {
          failures = []
          const tale = new Story(min, more, validates, lifetime)
          await tale.run([...first, ...then])
          await tale.end()
          if (failures.length > 0) throw new Error(failures[0])
        }),
        { numRuns: byLength({ short: 400, long: 2_000 }), includeErrorInReport: true },
      )
      t.pass()
    },
  )
}
