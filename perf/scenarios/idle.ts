/**
 * Idle connections: resident memory of each, in the process that dialled and in the one that accepted; CPU of an idle
 * engine.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as wait } from 'node:timers/promises'
import { cpuUsed, readCpu } from '../harness/cpu.js'
import { meetingPlace } from '../harness/meeting-place.js'
import type { Stack } from '../harness/messages.js'

export interface IdlePlan {
  readonly folder: string
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
  /** CPU milliseconds of all its threads during the measurement. */
  readonly idleCpuMs: number | undefined
}

interface Said {
  readonly kind: string
  readonly rssBytes: number
}

const program = fileURLToPath(new URL('../programs/holder.js', import.meta.url))

class Holder {
  readonly child: ChildProcess
  readonly #said: Said[] = []
  #wake: () => void = () => undefined
  #ended = false

  constructor(config: object) {
    this.child = fork(program, [JSON.stringify(config)], { execArgv: ['--expose-gc'] })
    this.child.on('message', (message) => {
      this.#said.push(message as Said)
      this.#wake()
    })
    this.child.once('exit', () => {
      this.#ended = true
      this.#wake()
    })
  }

  async next(kind: string): Promise<Said> {
    for (;;) {
      const found = this.#said.findIndex((said) => said.kind === kind)
      const [said] = found === -1 ? [] : this.#said.splice(found, 1)
      if (said !== undefined) return said
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

async function measure(stack: Stack, plan: IdlePlan): Promise<IdleRow[]> {
  const common = { path: meetingPlace(plan.folder, stack), count: plan.connections, stack }
  const accepting = new Holder({ ...common, role: 'accept' })
  const acceptedBefore = await accepting.next('before')
  const dialling = new Holder({ ...common, role: 'dial' })
  const dialledBefore = await dialling.next('before')
  await Promise.all([dialling.next('held'), accepting.next('held')])
  // V8 collects garbage for some seconds after a burst of work, with any stack; that is not the cost of being idle.
  await wait(plan.settleMs)
  const rows: IdleRow[] = []
  for (const [name, holder, before] of [
    [`${stack}, dialled`, dialling, dialledBefore],
    [`${stack}, accepted`, accepting, acceptedBefore],
  ] as const) {
    holder.child.send('measure')
    const after = await holder.next('after')
    const cpuBefore = readCpu(holder.pid)
    await wait(plan.watchMs)
    rows.push({
      name,
      connections: plan.connections,
      bytesPerConnection: (after.rssBytes - before.rssBytes) / plan.connections,
      idleCpuMs: cpuUsed(holder.pid, cpuBefore, readCpu(holder.pid))?.totalMs,
    })
  }
  await dialling.stop()
  await accepting.stop()
  return rows
}

export async function runIdle(plan: IdlePlan): Promise<IdleRow[]> {
  return [...(await measure('net', plan)), ...(await measure('engine', plan))]
}
