/**
 * Idle connections: resident memory of each, in the process that dialled and in the one that accepted; CPU of an idle
 * engine.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as wait } from 'node:timers/promises'
import { cpuUsed, readCpu } from '../harness/cpu.js'
import { meetingPlace, SOCKETS, type Transport } from '../harness/meeting-place.js'
import type { FromHolder, HolderConfig } from '../harness/messages.js'

export interface IdlePlan {
  readonly folder: string
  /** Of the engine, one after the other. */
  readonly transports: readonly Transport[]
  readonly connections: number
  /** Milliseconds of rest before anything is measured. */
  readonly settleMs: number
  /** Milliseconds over which CPU is counted. */
  readonly watchMs: number
}

export interface IdleRow {
  readonly name: string
  readonly connections: number
  /** Resident bytes of the process per connection, above what it had before. */
  readonly bytesPerConnection: number
  /** Those of them that are pages of shared memory: the other process counts the same pages. */
  readonly sharedPerConnection: number | undefined
  /** What the rings of a connection may use of shared memory, resident or not; both processes have it together. */
  readonly reservedPerConnection: number
  /** CPU milliseconds of all its threads during the measurement. */
  readonly idleCpuMs: number | undefined
  /** Why connections are not over shared memory, if they should be. */
  readonly fallback: string | undefined
}

const program = fileURLToPath(new URL('../programs/holder.js', import.meta.url))

class Holder {
  readonly child: ChildProcess
  readonly #said: FromHolder[] = []
  #wake: () => void = () => undefined
  #ended = false

  constructor(config: HolderConfig) {
    this.child = fork(program, [JSON.stringify(config)], { execArgv: ['--expose-gc'] })
    this.child.on('message', (message) => {
      this.#said.push(message as FromHolder)
      this.#wake()
    })
    this.child.once('exit', () => {
      this.#ended = true
      this.#wake()
    })
  }

  async next<Kind extends FromHolder['kind']>(kind: Kind): Promise<Extract<FromHolder, { kind: Kind }>> {
    for (;;) {
      const found = this.#said.findIndex((said) => said.kind === kind)
      const [said] = found === -1 ? [] : this.#said.splice(found, 1)
      if (said !== undefined) return said as Extract<FromHolder, { kind: Kind }>
      if (this.#ended) throw new Error(`a holder of connections ended before it said ${kind}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  async stop(): Promise<void> {
    if (this.#ended) return
    const gone = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.disconnect()
    await gone
  }
}

async function measure(stack: 'engine' | 'net', plan: IdlePlan, transport = SOCKETS as Transport): Promise<IdleRow[]> {
  const of = transport === SOCKETS ? stack : `${stack}, ${transport}`
  const common = { path: meetingPlace(plan.folder, of), transport, count: plan.connections, stack }
  const accepting = new Holder({ ...common, role: 'accept' })
  const acceptedBefore = await accepting.next('before')
  const dialling = new Holder({ ...common, role: 'dial' })
  const dialledBefore = await dialling.next('before')
  await Promise.all([dialling.next('held'), accepting.next('held')])
  // V8 collects garbage for some seconds after a burst of work, with any stack; that is not the cost of being idle.
  await wait(plan.settleMs)
  const rows: IdleRow[] = []
  for (const [name, holder, before] of [
    [`${of}, dialled`, dialling, dialledBefore],
    [`${of}, accepted`, accepting, acceptedBefore],
  ] as const) {
    holder.child.send('measure')
    const after = await holder.next('after')
    const shared = grown(before.sharedBytes, after.sharedBytes)
    const cpuBefore = readCpu(holder.pid)
    await wait(plan.watchMs)
    rows.push({
      name,
      connections: plan.connections,
      bytesPerConnection: (after.rssBytes - before.rssBytes) / plan.connections,
      sharedPerConnection: shared === undefined ? undefined : shared / plan.connections,
      reservedPerConnection: after.reservedBytes / plan.connections,
      idleCpuMs: cpuUsed(holder.pid, cpuBefore, readCpu(holder.pid))?.totalMs,
      fallback: after.fallback,
    })
  }
  await dialling.stop()
  await accepting.stop()
  return rows
}

export async function runIdle(plan: IdlePlan): Promise<IdleRow[]> {
  const rows = await measure('net', plan)
  for (const transport of plan.transports) rows.push(...(await measure('engine', plan, transport)))
  return rows
}

function grown(before: number | undefined, after: number | undefined): number | undefined {
  return before === undefined || after === undefined ? undefined : after - before
}
