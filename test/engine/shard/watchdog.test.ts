import test from 'ava'
import type { Activity } from '../../../engine/shard/running-stack.js'
import { Watchdog, type WatchedShard } from '../../../engine/shard/watchdog.js'
import { FakeClock } from '../../helpers/fake-clock.js'

const TIMEOUT_MS = 100

const NATIVE: Activity = { kind: 'native' }

/** A shard whose answers are the test's to give. An examination is over at once, unless it is held. */
class FakeShard implements WatchedShard {
  working = true
  isHeld = false
  probes = 0
  stuck = 0
  readonly activities: Activity[] = []
  #examined: (() => void) | undefined
  #answer: ((error?: Error) => void) | undefined

  hasUntakenWork(): boolean {
    return this.working
  }

  probe(): Promise<void> {
    this.probes++
    return new Promise((resolve, reject) => {
      this.#answer = (error) => {
        if (error === undefined) resolve()
        else reject(error)
      }
    })
  }

  examine(): Promise<Activity> {
    if (!this.isHeld) return Promise.resolve(NATIVE)
    return new Promise((resolve) => {
      this.#examined = () => resolve(NATIVE)
    })
  }

  onStuck(activity: Activity): void {
    this.stuck++
    this.activities.push(activity)
  }

  get isExamined(): boolean {
    return this.#examined !== undefined
  }

  endExamination(): void {
    this.#examined?.()
    this.#examined = undefined
  }

  answer(error?: Error): void {
    this.#answer?.(error)
  }
}

function create(): { clock: FakeClock; shard: FakeShard; watch: Watchdog } {
  const clock = new FakeClock()
  const shard = new FakeShard()
  return { clock, shard, watch: new Watchdog(shard, TIMEOUT_MS, clock) }
}

/** The verdict on a probe, and the one after the examination, each come a turn later. */
async function judge(clock: FakeClock): Promise<void> {
  await clock.turn()
  await clock.turn()
}

/** What a watch that was touched has come to: one probe sent and not answered. */
function createProbing(): ReturnType<typeof create> {
  const all = create()
  all.watch.touch()
  all.clock.advance(TIMEOUT_MS)
  return all
}

test('a watchdog that was never used arms no timer', (t) => {
  const { clock, shard } = create()
  clock.advance(10 * TIMEOUT_MS)
  t.deepEqual([clock.asked, clock.armed, shard.probes], [[], 0, 0])
})

test('work starts the watchdog: one timer, however much work follows, and it keeps no process alive', (t) => {
  const { clock, watch } = create()
  for (let i = 0; i < 5; i++) watch.touch()
  t.deepEqual([clock.asked, clock.armed, clock.keepingAlive], [[TIMEOUT_MS], 1, 0])
})

test('work that was taken up causes no probe, and the watchdog rests again', (t) => {
  const { clock, shard, watch } = create()
  watch.touch()
  clock.advance(TIMEOUT_MS - 1)
  shard.working = false
  clock.advance(1)
  t.deepEqual([clock.armed, shard.probes], [0, 0])
  clock.advance(10 * TIMEOUT_MS)
  t.is(clock.asked.length, 1)
  shard.working = true
  watch.touch()
  t.is(clock.armed, 1, 'the next piece of work begins it anew')
})

test('untaken work causes one probe', (t) => {
  const { clock, shard, watch } = create()
  watch.touch()
  clock.advance(TIMEOUT_MS - 1)
  t.is(shard.probes, 0)
  clock.advance(1)
  t.is(shard.probes, 1)
  watch.touch()
  t.deepEqual([clock.armed, clock.keepingAlive, shard.probes], [1, 0, 1])
})

test('a probe without an answer in time means that the shard is stuck, reported once', async (t) => {
  const { clock, shard } = createProbing()
  clock.advance(TIMEOUT_MS - 1)
  await clock.turn()
  t.is(shard.stuck, 0)
  clock.advance(1)
  t.is(shard.stuck, 0, 'a turn goes by before the verdict')
  await judge(clock)
  t.is(shard.stuck, 1)
  clock.advance(10 * TIMEOUT_MS)
  await clock.turn()
  t.deepEqual([shard.stuck, clock.armed], [1, 0])
})

test('after an answered probe the watchdog goes on until no work is left', async (t) => {
  const { clock, shard } = createProbing()
  for (let probe = 1; probe <= 3; probe++) {
    t.is(shard.probes, probe)
    shard.answer()
    clock.advance(TIMEOUT_MS)
    await clock.turn()
    t.deepEqual([shard.stuck, clock.armed], [0, 1])
    clock.advance(TIMEOUT_MS)
  }
  shard.answer()
  clock.advance(TIMEOUT_MS)
  await clock.turn()
  shard.working = false
  clock.advance(TIMEOUT_MS)
  t.deepEqual([shard.stuck, shard.probes, clock.armed], [0, 4, 0])
})

test('a shard that answers once and then no more is found by the next probe', async (t) => {
  const { clock, shard } = createProbing()
  shard.answer()
  clock.advance(TIMEOUT_MS)
  await clock.turn()
  clock.advance(2 * TIMEOUT_MS)
  await judge(clock)
  t.deepEqual([shard.probes, shard.stuck], [2, 1])
})

test('a rejected probe is an answer: others find out that the shard is dead', async (t) => {
  const { clock, shard } = createProbing()
  shard.answer(new Error('dead'))
  clock.advance(TIMEOUT_MS)
  await clock.turn()
  t.deepEqual([shard.stuck, clock.armed], [0, 1])
})

test('an answer that is in the queue behind the timer counts', async (t) => {
  const { clock, shard } = createProbing()
  clock.advance(TIMEOUT_MS)
  // Between the timer and the turn after it.
  shard.answer()
  await clock.turn()
  t.deepEqual([shard.stuck, clock.armed], [0, 1])
})

test('a late timer gives no verdict: the probe starts again', async (t) => {
  const { clock, shard } = createProbing()
  clock.stall(10 * TIMEOUT_MS)
  clock.advance(0)
  await clock.turn()
  t.deepEqual([shard.stuck, clock.armed], [0, 1])
  clock.advance(2 * TIMEOUT_MS)
  await judge(clock)
  t.deepEqual([shard.probes, shard.stuck], [2, 1], 'the second probe had its time')
})

test('a timer that is hardly late gives a verdict', async (t) => {
  const { clock, shard } = createProbing()
  clock.stall(TIMEOUT_MS * 1.4)
  clock.advance(0)
  await judge(clock)
  t.is(shard.stuck, 1)
})

test('a long turn after a timer in time counts as late too', async (t) => {
  const { clock, shard } = createProbing()
  clock.advance(TIMEOUT_MS)
  clock.stall(TIMEOUT_MS)
  await clock.turn()
  t.deepEqual([shard.stuck, clock.armed], [0, 1])
})

test('an ended watchdog arms no timer and reports nothing, whatever it was doing', async (t) => {
  const resting = create()
  resting.watch.end()
  resting.watch.touch()
  t.is(resting.clock.armed, 0)

  const watching = create()
  watching.watch.touch()
  watching.watch.end()
  watching.clock.advance(10 * TIMEOUT_MS)
  t.deepEqual([watching.clock.armed, watching.shard.probes], [0, 0])

  const probing = createProbing()
  probing.watch.end()
  probing.clock.advance(10 * TIMEOUT_MS)
  await probing.clock.turn()
  t.deepEqual([probing.clock.armed, probing.shard.stuck], [0, 0])

  const judging = createProbing()
  judging.clock.advance(TIMEOUT_MS)
  judging.watch.end()
  await judging.clock.turn()
  judging.watch.touch()
  t.deepEqual([judging.clock.armed, judging.shard.stuck], [0, 0])
})

test('what main does itself causes one probe, though the shard has nothing to take up', async (t) => {
  const { clock, shard, watch } = create()
  shard.working = false
  for (let i = 0; i < 5; i++) watch.touchUnseen()
  t.is(clock.armed, 1)
  clock.advance(TIMEOUT_MS)
  t.is(shard.probes, 1)
  shard.answer()
  for (let i = 0; i < 3; i++) {
    clock.advance(TIMEOUT_MS)
    await clock.turn()
  }
  t.deepEqual([shard.probes, shard.stuck, clock.armed], [1, 0, 0])
})

test('a shard that does not answer after what main did itself is stuck', async (t) => {
  const { clock, shard, watch } = create()
  shard.working = false
  watch.touchUnseen()
  clock.advance(2 * TIMEOUT_MS)
  await judge(clock)
  t.deepEqual([shard.probes, shard.stuck], [1, 1])
})

test('what main goes on doing itself causes a probe again', async (t) => {
  const { clock, shard, watch } = create()
  shard.working = false
  watch.touchUnseen()
  clock.advance(TIMEOUT_MS)
  watch.touchUnseen()
  shard.answer()
  clock.advance(TIMEOUT_MS)
  await clock.turn()
  clock.advance(TIMEOUT_MS)
  t.deepEqual([shard.probes, shard.stuck], [2, 0])
})

test('before the verdict the shard is examined, and the verdict says what it was doing', async (t) => {
  const { clock, shard, watch } = createProbing()
  shard.isHeld = true
  clock.advance(TIMEOUT_MS)
  await judge(clock)
  t.true(shard.isExamined)
  watch.touch()
  t.deepEqual([shard.stuck, clock.armed], [0, 0], 'nothing else begins meanwhile')
  shard.endExamination()
  await clock.turn()
  t.deepEqual(shard.activities, [NATIVE])
  watch.touch()
  t.is(clock.armed, 0, 'it is over')
})

for (const [when, answerAt] of [
  ['during the examination', 'during'],
  ['in the turn after the examination', 'after'],
] as const) {
  test(`a shard that answers ${when} is alive, and is watched on`, async (t) => {
    const { clock, shard } = createProbing()
    shard.isHeld = true
    clock.advance(TIMEOUT_MS)
    await clock.turn()
    t.true(shard.isExamined)
    if (answerAt === 'during') shard.answer()
    shard.endExamination()
    if (answerAt === 'after') shard.answer()
    await clock.turn()
    t.deepEqual([shard.stuck, clock.armed], [0, 1])

    shard.isHeld = false
    clock.advance(2 * TIMEOUT_MS)
    await judge(clock)
    t.deepEqual([shard.probes, shard.stuck], [2, 1], 'the next probe finds it')
  })
}

test('a watchdog that is ended during the examination reports nothing', async (t) => {
  const { clock, shard, watch } = createProbing()
  shard.isHeld = true
  clock.advance(TIMEOUT_MS)
  await clock.turn()
  watch.end()
  shard.endExamination()
  await clock.turn()
  watch.touch()
  t.deepEqual([shard.stuck, clock.armed], [0, 0])
})

test('while handlers are watched one probe follows the other, though main wants nothing', async (t) => {
  const { clock, shard, watch } = create()
  shard.working = false
  watch.watchHandlers(true)
  for (let probe = 1; probe <= 4; probe++) {
    t.deepEqual([clock.armed, clock.keepingAlive], [1, 0])
    clock.advance(TIMEOUT_MS)
    await clock.turn()
    t.is(shard.probes, probe)
    shard.answer()
  }
  t.is(shard.stuck, 0)
  clock.advance(2 * TIMEOUT_MS)
  await clock.turn()
  clock.advance(TIMEOUT_MS)
  await judge(clock)
  t.is(shard.stuck, 1, 'no answer: it is stuck')
})

test('once handlers are watched no more the watchdog rests', async (t) => {
  const { clock, shard, watch } = create()
  shard.working = false
  watch.watchHandlers(true)
  clock.advance(TIMEOUT_MS)
  t.is(shard.probes, 1)
  watch.watchHandlers(false)
  shard.answer()
  clock.advance(TIMEOUT_MS)
  await clock.turn()
  clock.advance(10 * TIMEOUT_MS)
  await clock.turn()
  t.deepEqual([shard.probes, shard.stuck, clock.armed], [1, 0, 0])
  watch.watchHandlers(true)
  t.is(clock.armed, 1, 'it can begin anew')
})
