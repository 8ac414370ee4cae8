/**
 * What connections cost while they do nothing: memory, descriptors and CPU of the process that dialled and of the one
 * that accepted, once they are connected, once each has carried a burst, and once they have been idle again.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { cpuUsed, readCpu } from '../harness/cpu.js'
import { meetingPlace, SOCKETS, type Transport } from '../harness/meeting-place.js'
import type { FromHolder, HolderConfig, HolderOrder, Holding } from '../harness/messages.js'
import { silent, type Progress } from '../harness/progress.js'
import type { Figure } from '../report/figure.js'

export interface MemoryPlan {
  readonly folder: string
  readonly progress?: Progress | undefined
  /** Of the engine. */
  readonly transports: readonly Transport[]
  /** One after the other. */
  readonly connections: readonly number[]
  /** What each of them carries. */
  readonly burstBytes: number
  /** Milliseconds of rest before CPU is counted. */
  readonly settleMs: number
  /** Milliseconds over which CPU is counted. */
  readonly watchMs: number
}

export interface MemoryRow {
  readonly stack: string
  readonly end: 'dialled' | 'accepted'
  readonly connections: number
  /** Resident bytes of the process per connection, above what it had before: once connected, ... */
  readonly connectedBytes: number
  /** ... after a burst over each, ... */
  readonly usedBytes: number
  /** ... and after some time in which nothing happened. */
  readonly idleBytes: number
  /** Those of the last that are pages of shared memory: the other process counts the same pages. */
  readonly sharedBytes: number | undefined
  /** What the rings of a connection may use of shared memory, resident or not; both processes have it together. */
  readonly reservedBytes: number
  /** Memory that the engine has for rings, and what rings use of it, per connection, at last. */
  readonly ringBytes: number
  readonly ringBytesInUse: number
  readonly descriptors: number | undefined
  /** CPU milliseconds of all its threads while nothing happened. */
  readonly idleCpuMs: number | undefined
  /** Why connections are not over shared memory, if they should be. */
  readonly fallback: string | undefined
  /** Everything that was sent has come. */
  readonly verified: boolean
}

export interface MemoryReport {
  readonly connections: number
  readonly burstBytes: number
  readonly rows: readonly MemoryRow[]
  readonly figures: readonly Figure[]
}

const ANSWER_BYTES = 1

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

  order(kind: HolderOrder['kind']): void {
    this.child.send({ kind } satisfies HolderOrder)
  }

  async measure(): Promise<Holding> {
    this.order('measure')
    return this.next('after')
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

async function measure(
  stack: 'engine' | 'net',
  transport: Transport,
  count: number,
  { folder, burstBytes, settleMs, watchMs }: MemoryPlan,
): Promise<MemoryRow[]> {
  const name = transport === SOCKETS ? stack : `${stack}, ${transport}`
  const common = { path: meetingPlace(folder, `${name} ${String(count)}`), transport, count, stack, burstBytes }
  const accepting = new Holder({ ...common, role: 'accept' })
  const acceptedBefore = await accepting.next('before')
  const dialling = new Holder({ ...common, role: 'dial' })
  try {
    const dialledBefore = await dialling.next('before')
    await Promise.all([dialling.next('held'), accepting.next('held')])
    const ends = [
      { end: 'dialled', holder: dialling, before: dialledBefore, gets: ANSWER_BYTES },
      { end: 'accepted', holder: accepting, before: acceptedBefore, gets: burstBytes },
    ] as const
    const ofBoth = (): Promise<Holding[]> => Promise.all(ends.map(({ holder }) => holder.measure()))
    const connected = await ofBoth()
    dialling.order('burst')
    await dialling.next('answered')
    const used = await ofBoth()
    // V8 collects garbage for some seconds after a burst of work, with any stack; that is not the cost of being idle.
    await wait(settleMs)
    const cpuBefore = ends.map(({ holder }) => readCpu(holder.pid))
    await wait(watchMs)
    const cpu = ends.map(({ holder: { pid } }, i) => cpuUsed(pid, cpuBefore[i], readCpu(pid))?.totalMs)
    const idle = await ofBoth()
    return ends.map(({ end, before, gets }, i): MemoryRow => {
      const each = (holding: Holding | undefined): number => ((holding?.rssBytes ?? NaN) - before.rssBytes) / count
      const grown = (part: 'sharedBytes' | 'descriptors'): number | undefined => {
        const [had, has] = [before[part], idle[i]?.[part]]
        return had === undefined || has === undefined ? undefined : (has - had) / count
      }
      return {
        ...{ stack: name, end, connections: count },
        ...{ connectedBytes: each(connected[i]), usedBytes: each(used[i]), idleBytes: each(idle[i]) },
        sharedBytes: grown('sharedBytes'),
        reservedBytes: (idle[i]?.reservedBytes ?? NaN) / count,
        ringBytes: (idle[i]?.ringBytes ?? NaN) / count,
        ringBytesInUse: (idle[i]?.ringBytesInUse ?? NaN) / count,
        descriptors: grown('descriptors'),
        idleCpuMs: cpu[i],
        fallback: idle[i]?.fallback,
        verified: idle[i]?.receivedBytes === count * gets,
      }
    })
  } finally {
    await dialling.stop()
    await accepting.stop()
  }
}

export async function runMemory(plan: MemoryPlan): Promise<readonly MemoryReport[]> {
  const { connections, transports, burstBytes, progress = silent } = plan
  const reports: MemoryReport[] = []
  progress.begin('counts of connections', connections.length)
  try {
    for (const count of connections) {
      // Side by side: neither memory nor the CPU of a process depends on what others do.
      const all = await Promise.all([
        measure('net', SOCKETS, count, plan),
        ...transports.map((transport) => measure('engine', transport, count, plan)),
      ])
      const rows = all.flat()
      reports.push({ connections: count, burstBytes, rows, figures: rows.flatMap(figuresOfRow) })
      progress.step()
    }
  } finally {
    progress.end()
  }
  return reports
}

function figuresOfRow(row: MemoryRow): Figure[] {
  const { stack, end, connections } = row
  const common = { contender: stack, isBaseline: stack === 'net', at: { connections, end }, better: 'lower' } as const
  const figures = [
    { metric: 'resident memory of a connection, connected', unit: 'bytes', value: row.connectedBytes },
    { metric: 'resident memory of a connection, after a burst', unit: 'bytes', value: row.usedBytes },
    { metric: 'resident memory of a connection, idle again', unit: 'bytes', value: row.idleBytes },
    { metric: 'descriptors of a connection', unit: 'count', value: row.descriptors },
    { metric: 'CPU of an idle process', unit: 'ms', value: row.idleCpuMs },
  ] as const
  const told = figures.flatMap(({ metric, unit, value }): Figure[] =>
    value === undefined ? [] : [{ ...common, metric, unit, samples: [value] }],
  )
  if (stack === 'net') return told
  const ring = (metric: string, value: number): Figure => ({ ...common, metric, unit: 'bytes', samples: [value] })
  return [
    ...told,
    ring('ring memory of a connection', row.ringBytes),
    ring('ring memory of a connection, in use', row.ringBytesInUse),
    ring('shared memory that is reserved for a connection', row.reservedBytes),
  ]
}
