/**
 * The host: owns the engine, injects the planned faults one after the other, and reports after each what it found.
 * Argument: JSON of HostConfig. Run with --expose-gc, an IPC channel and a low limit of open files. It ends by itself,
 * or with its runner.
 */
import { endByItself } from '../harness/runner-end.js'
import { join } from 'node:path'
import process from 'node:process'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { canCountResources, descriptorKinds } from '../harness/resource-counts.js'
import { NO_FRAMES } from './frame-book.js'
import { inject } from './injectors.js'
import { abortedCalls, isProcess, kindOf, planFaults, type Fault } from './plan.js'
import type { FaultCounts, FromHost, HostConfig, HostReport } from './host-report.js'
import { allUp, backTo, holdingsOf, memoryInUse, settledHoldings, surplus, type Holdings } from './resources.js'
import { World } from './world.js'
import type { Traffic } from './traffic.js'

const config = JSON.parse(process.argv[2] ?? '{}') as HostConfig
/** What the host is doing, for the message of a failure. */
let step = 'starting'
let world: World | undefined
let before: Holdings | undefined
let kinds: ReadonlyMap<string, number> = new Map()

function say(message: FromHost): void {
  process.send?.(message)
}

function descriptorsNow(): readonly string[] {
  if (!canCountResources) return []
  return [...descriptorKinds()].map(
    ([kind, count]) => `${kind}: ${String(count)} (${String(kinds.get(kind) ?? 0)} before)`,
  )
}

/** The state of everything, for a fault that does not end. */
function state(): string {
  if (world === undefined) return 'not started'
  const { engine } = world
  const connections = world.traffics.map(({ name, connection, book, lastEcho, isStalled, failures }) => ({
    name,
    state: connection.state,
    info: connection.info,
    attempts: connection.attempts,
    failures,
    isStalled,
    next: book.next,
    outstanding: book.outstanding,
    losses: book.losses,
    lastEcho,
  }))
  const more = before === undefined ? [] : surplus(before, holdingsOf(world))
  return JSON.stringify({ more, descriptors: descriptorsNow(), connections, engine: engine.stats() }, null, 1)
}

function sumOf(traffics: readonly Traffic[]): FaultCounts {
  const sum = { ...NO_FRAMES, losses: 0 }
  let replaced = 0
  for (const { book, connectionsReplaced: ended } of traffics) {
    for (const kind of Object.keys(book.counts) as (keyof typeof book.counts)[]) sum[kind] += book.counts[kind]
    sum.losses += book.losses
    replaced += ended
  }
  return { ...sum, connectionsReplaced: replaced }
}

function difference(after: FaultCounts, earlier: FaultCounts): FaultCounts {
  return Object.fromEntries(
    Object.entries(after).map(([kind, count]) => [kind, count - earlier[kind as keyof FaultCounts]]),
  ) as unknown as FaultCounts
}

/** Every target's frames go through again. */
async function allWell({ flows }: World): Promise<void> {
  await Promise.all(flows.map((flow) => flow.wellAgain()))
}

async function happen(here: World, fault: Fault): Promise<void> {
  const target = here.target(fault.target)
  step = 'waiting to strike'
  if (!fault.atOnce) await target.traffic.progress(fault.afterEchoes)
  step = 'striking'
  await inject(here, target, fault.action)
}

/** Fails the run, with all that is known, when a step takes longer than a fault may. */
async function watched(index: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`fault ${String(index)}: not over after ${String(config.watchdogMs)} ms while ${step}`))
    }, config.watchdogMs)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** What a process takes once, at its first child, listener or replaced thread, is not a leak. */
async function warmUp(here: World): Promise<void> {
  await allWell(here)
  const calls = abortedCalls.map((call) => ({ call, turns: 100 }))
  await inject(here, here.anyTarget, { kind: 'aborts', calls })
  for (const target of here.targets.values()) {
    if (isProcess(target.name)) await inject(here, target, { kind: 'peer killed' })
    await allWell(here)
    await inject(here, target, { kind: 'worker', death: 'exit' })
    await allWell(here)
    await allUp(here)
  }
  await openDescriptorChannels(here)
}

/** Each thread has one from its first listener on. */
async function openDescriptorChannels({ engine }: World): Promise<void> {
  if (!canCountResources) return
  const listener = await engine.transport(`unix:${join(config.folder, 'channels.sock')}`).listen()
  await listener.close()
}

async function run(): Promise<HostReport> {
  const plan = planFaults(config.seed, config.faults, config.targets)
  world = await World.start(config.seed, config.folder, config.targets)
  const here = world
  await watched(-1, warmUp(here))
  await nextTurn()
  before = await settledHoldings(here)
  if (canCountResources) kinds = descriptorKinds()
  const baseline = before
  let memory = await memoryInUse()
  let counts = sumOf(here.traffics)
  for (const fault of plan) {
    const startedAt = performance.now()
    say({ kind: 'striking', index: fault.index, label: kindOf(fault) })
    await watched(fault.index, happen(here, fault))
    if (plan[fault.index + 1]?.atOnce !== true) {
      step = 'waiting for the first echoes after it'
      await watched(fault.index, allWell(here))
      step = 'counting what is left over'
      await watched(fault.index, backTo(baseline, here))
    }
    const now = sumOf(here.traffics)
    const ms = performance.now() - startedAt
    say({
      kind: 'fault',
      index: fault.index,
      label: kindOf(fault),
      target: fault.target,
      ms,
      counts: difference(now, counts),
    })
    counts = now
    if (now.wrong > 0) break
    // By then the process has taken all that it needs for the rest of the faults.
    if (fault.index === Math.floor(config.faults / 5)) memory = await memoryInUse()
  }
  step = 'closing'
  let leaked = 0
  await watched(
    config.faults,
    here.stop().then((count) => void (leaked = count)),
  )
  const after = await memoryInUse()
  return {
    leaked,
    counts: sumOf(here.traffics),
    complaints: [
      ...here.traffics.flatMap(({ book }) => book.complaints),
      ...here.pools.flatMap(({ complaints }) => complaints),
    ],
    answered: here.pools.reduce((sum, { answered }) => sum + answered, 0),
    failedQuestions: here.pools.reduce((sum, { failed }) => sum + failed, 0),
    residentGrowth: after.resident - memory.resident,
    ownGrowth: after.own - memory.own,
  }
}

try {
  say({ kind: 'report', report: await run() })
  // Everything is closed. Anything that still keeps the process alive is a leak, which the campaign notices.
  endByItself()
} catch (error) {
  say({ kind: 'failed', message: String(error), step, state: state() })
  process.exitCode = 1
  // What hangs would go on hanging; children end with their parent's channel.
  setImmediate(() => process.exit())
}
