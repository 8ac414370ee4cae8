/** A peer that writes anything anywhere into the memory that it shares harms its own connection, and nobody else. */
import test, { type ExecutionContext } from 'ava'
import type { VictimReport } from '../../fixtures/shared-victim.js'
import { ChildProgram } from '../../helpers/child-program.js'
import { byLength } from '../../helpers/length.js'
import type { LoneOptions } from '../../helpers/lone-shared-memory.js'
import { testSeed } from '../../helpers/random.js'
import { isSharedOnLinux } from '../../helpers/shared-memory-here.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'

const here = isSharedOnLinux ? test.serial : test.serial.skip

const seed = testSeed()
const repeat = `SYMPHONY_SEED=${String(seed)} repeats this run`
const ROUNDS = byLength({ short: 150, long: 250 })
const WATCHDOG = byLength({ short: 60_000, long: 170_000 })
/** For each connection, with the frames of those that do not scribble beside it. */
const MOST_TURNS = 20
/** How such a connection may end. */
const ENDS = ['OK', 'ERR_FRAMING', 'ERR_FRAME_TOO_LARGE', 'ERR_TRUNCATED', 'ERR_RESET']
/** What calls may fail with meanwhile. */
const FAILURES = [...ENDS, 'ERR_CLOSED']
/** Answers over which an event loop that has nothing to do does not turn for connections. */
const PROBES = 20

async function suffer(t: ExecutionContext, options: Omit<LoneOptions, 'find'>): Promise<void> {
  t.timeout(WATCHDOG, `the victim hangs: ${repeat}`)
  t.log(repeat)
  const folder = await makeTemporaryFolder()
  const paths = [folder.socketPath(), folder.socketPath()] as const
  const settings = JSON.stringify(options)
  const victim = ChildProgram.start('shared-victim', [...paths, settings])
  const children = [victim]
  try {
    await victim.line('listening')
    const bystander = ChildProgram.start('shared-bystander', [paths[1], settings, String(seed)])
    children.push(bystander)
    await bystander.line('connected')
    const sizes = [String(options.firstRingBytes), String(options.mostRingBytes)]
    const scribbler = ChildProgram.start('shared-scribbler', [paths[0], String(seed), String(ROUNDS), ...sizes])
    children.push(scribbler)
    await scribbler.line('done')
    victim.tell(`settle ${String(ROUNDS)}`)
    const report = JSON.parse(await victim.next()) as VictimReport
    bystander.tell('stop')
    const exchanged = JSON.parse(await bystander.next()) as number[]
    t.log(JSON.stringify(report), `bystanders: ${exchanged.join(', ')} frames`)
    for (const code of Object.keys(report.codes)) t.true(ENDS.includes(code), code)
    for (const code of report.failures) t.true(FAILURES.includes(code), code)
    t.true(exchanged.every((count) => count > 0))
    // A look for each byte that wakes, and no more: the event loop goes on by itself only for what is to be done.
    if (options.wake === 'park') t.true(report.turns < MOST_TURNS * ROUNDS)
    await staysAsleep(t, victim)
    bystander.tell('close')
    for (const count of exchanged.keys()) t.is(await bystander.next(), 'OK', `bystander ${String(count)}`)
    victim.tell('end')
    await victim.line('0')
    for (const { exit } of children) {
      const { code, signal, stderr } = await exit
      t.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' })
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    await Promise.all(children.map(({ exit }) => exit))
    await folder.remove()
  }
}

async function staysAsleep(t: ExecutionContext, victim: ChildProgram): Promise<void> {
  const probe = async (): Promise<number> => {
    victim.tell('probe')
    return (JSON.parse(await victim.next()) as VictimReport).turns
  }
  // What is under way may still come, and a main that waits for replies gives them up.
  let turns = await probe()
  for (let same = 0; same < PROBES;) {
    const now = await probe()
    same = now === turns ? same + 1 : 0
    turns = now
  }
  t.pass()
}

for (const wake of ['park', { spinMicros: 200 }] as const) {
  const how = typeof wake === 'string' ? wake : 'spinMicros'

  here(`main ${how}: a peer that scribbles over rings that may grow`, (t) =>
    suffer(t, { wake, firstRingBytes: 4096, mostRingBytes: 131_072 }),
  )
}

here('main park: a peer that scribbles over the smallest rings', (t) =>
  suffer(t, { wake: 'park', firstRingBytes: 4096, mostRingBytes: 4096 }),
)
