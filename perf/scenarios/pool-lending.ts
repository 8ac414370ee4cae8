/** What lending costs: main-thread CPU for an acquire and a release of an idle connection, over real connections. */
import { createRequire } from 'node:module'
import net from 'node:net'
import { createEngine } from '../../api/index.js'
import { cpuUsed, readCpu } from '../harness/cpu.js'
import type { Progress } from '../harness/progress.js'
import { interleave, medianOf } from '../harness/rounds.js'
import type { Figure } from '../report/figure.js'
import { figuresOf } from '../report/figures-of.js'

export interface PoolPlan {
  readonly folder: string
  readonly rounds: number
  /** Acquires and releases a round. */
  readonly count: number
  /** Connections in each pool. */
  readonly connections: number
  readonly progress?: Progress | undefined
}

export interface PoolRow {
  readonly name: string
  /** Microseconds of the main thread's CPU for one acquire and release. */
  readonly mainMicros: number | undefined
  /** The same by the clock. */
  readonly elapsedMicros: number
  /** Median over the baseline's median of the same run, by the clock. */
  readonly ratio: number
  readonly acquired: number
  readonly wrong: number
}

export interface PoolReport {
  readonly connections: number
  readonly rows: readonly PoolRow[]
  readonly figures: readonly Figure[]
  readonly released: boolean
}

interface Sample {
  readonly mainMicros: number | undefined
  readonly elapsedMicros: number
  readonly wrong: number
}

/** `run` acquires and releases `count` times, and returns how often something was wrong. */
interface Lender {
  readonly name: string
  readonly run: (count: number) => Promise<number>
}

async function measure({ run }: Lender, count: number): Promise<Sample> {
  const before = readCpu(process.pid)
  const start = performance.now()
  const wrong = await run(count)
  const elapsed = performance.now() - start
  const used = cpuUsed(process.pid, before, readCpu(process.pid))
  return {
    mainMicros: used === undefined ? undefined : (used.mainThreadMs * 1000) / count,
    elapsedMicros: (elapsed * 1000) / count,
    wrong,
  }
}

const nothing = {}

const promise: Lender = {
  name: 'an awaited promise',
  run: async (count) => {
    let wrong = 0
    for (let i = 0; i < count; i++) if ((await Promise.resolve(nothing)) !== nothing) wrong++
    return wrong
  },
}

// What a user could choose instead; installed by `npm ci --prefix perf/peers`.

interface GenericPool<Item> {
  acquire(): Promise<Item>
  release(item: Item): Promise<void>
  drain(): Promise<void>
  clear(): Promise<void>
}

interface TarnPool<Item> {
  acquire(): { readonly promise: Promise<Item> }
  release(item: Item): boolean
  destroy(): Promise<unknown>
}

interface Peer extends Lender {
  readonly stop: () => Promise<unknown>
}

function dialNet(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path, () => {
      resolve(socket)
    })
    socket.on('error', reject)
  })
}

function isUsable(socket: net.Socket): boolean {
  return socket.readyState === 'open'
}

function findPeers(path: string, max: number): Peer[] {
  const require = createRequire(new URL('../../../perf/peers/package.json', import.meta.url))
  const peers: Peer[] = []
  try {
    const { createPool } = require('generic-pool') as {
      createPool: (factory: object, options: object) => GenericPool<net.Socket>
    }
    const pool = createPool(
      {
        create: () => dialNet(path),
        destroy: (socket: net.Socket) => Promise.resolve(void socket.destroy()),
        validate: (socket: net.Socket) => Promise.resolve(isUsable(socket)),
      },
      { min: max, max, testOnBorrow: true },
    )
    peers.push({
      name: 'generic-pool over net',
      run: async (count) => {
        let wrong = 0
        for (let i = 0; i < count; i++) {
          const socket = await pool.acquire()
          if (!isUsable(socket)) wrong++
          void pool.release(socket)
        }
        return wrong
      },
      stop: () => pool.drain().then(() => pool.clear()),
    })
  } catch {
    // Not installed.
  }
  try {
    const { Pool } = require('tarn') as { Pool: new (options: object) => TarnPool<net.Socket> }
    const pool = new Pool({
      create: () => dialNet(path),
      destroy: (socket: net.Socket) => void socket.destroy(),
      validate: isUsable,
      min: max,
      max,
    })
    peers.push({
      name: 'tarn over net',
      run: async (count) => {
        let wrong = 0
        for (let i = 0; i < count; i++) {
          const socket = await pool.acquire().promise
          if (!isUsable(socket)) wrong++
          pool.release(socket)
        }
        return wrong
      },
      stop: () => pool.destroy(),
    })
  } catch {
    // Not installed.
  }
  return peers
}

export async function runPool({ folder, rounds, count, connections, progress }: PoolPlan): Promise<PoolReport> {
  const path = `${folder}/pool.sock`
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const engine = await createEngine()
  const pool = engine.transport(`unix:${path}`).pool({ min: connections, max: connections })
  const peers = findPeers(path, connections)
  const lenders: Lender[] = [
    promise,
    {
      name: 'acquire and release',
      run: async (times) => {
        let wrong = 0
        for (let i = 0; i < times; i++) {
          const lease = await pool.acquire()
          if (!lease.isHeld) wrong++
          lease.release()
        }
        return wrong
      },
    },
    {
      name: 'use()',
      run: async (times) => {
        let wrong = 0
        for (let i = 0; i < times; i++) if ((await pool.use(() => nothing)) !== nothing) wrong++
        return wrong
      },
    },
    ...peers,
  ]
  let samples: Map<string, Sample[]>
  try {
    const all = await Promise.all(Array.from({ length: connections }, () => pool.acquire()))
    for (const lease of all) lease.release()
    for (const lender of lenders) await lender.run(count)
    samples = await interleave(lenders, rounds, (lender) => measure(lender, count), progress)
  } finally {
    for (const { stop } of peers) await stop()
  }
  const { created } = pool.stats()
  const { leaked } = await engine.close()
  await new Promise((resolve) => server.close(resolve))
  const base = medianOf(samples.get(promise.name) ?? [], ({ elapsedMicros }) => elapsedMicros) ?? NaN
  const rows = [...samples].map(([name, own]) => {
    const elapsedMicros = medianOf(own, (sample) => sample.elapsedMicros) ?? NaN
    return {
      name,
      mainMicros: medianOf(own, (sample) => sample.mainMicros),
      elapsedMicros,
      ratio: elapsedMicros / base,
      acquired: own.length * count,
      wrong: own.reduce((sum, sample) => sum + sample.wrong, 0),
    }
  })
  const figures = figuresOf(samples, { connections }, [
    { metric: 'acquire and release', unit: 'us', better: 'lower', of: ({ elapsedMicros }) => elapsedMicros },
    {
      metric: "main thread's CPU of acquire and release",
      unit: 'us',
      better: 'lower',
      of: ({ mainMicros }) => mainMicros,
    },
  ])
  return { connections, rows, figures, released: leaked === 0 && created === connections }
}
