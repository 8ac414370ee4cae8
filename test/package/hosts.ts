/**
 * Programs that use the package, as text: they are written into a project where it is installed, and would not
 * compile here. One body for every kind of module: it names no types and yet passes strict TypeScript.
 */
const body = `
async function main() {
  const [endpoint, shards, workerEntry] = process.argv.slice(2)
  // Longer than any test may take: a boot that fails must say so by itself.
  const options = { shards: Number(shards), bootTimeoutMs: 600000, workerEntry }
  const engine = await createEngine(options).catch((error) => {
    console.log('rejected ' + error.code + ': ' + error.message)
  })
  if (!engine) return
  const carriers = new Set()
  try {
    const transport = engine.transport(endpoint)
    const listener = await transport.listen((connection) => {
      carriers.add(connection.info.shard)
      connection.subscribe((frame) => void connection.send(frame), { borrow: true })
    })
    // Left open, so that the next one goes to the other shard, and for closing the engine to end.
    for (let i = 0; i < 3; i++) {
      const connection = await transport.connect()
      carriers.add(connection.info.shard)
      for (const frame of [Buffer.from('hello'), Buffer.alloc(0), Buffer.alloc(100000, i)]) {
        if (!connection.send(frame)) await connection.ready()
        const echo = await connection.receive()
        if (!echo || !echo.equals(frame)) throw new Error('another frame came back')
      }
    }
    await listener.close()
  } finally {
    console.log('leaked ' + (await engine.close()).leaked)
  }
  console.log('shards ' + [...carriers].sort().join(' '))
}
void main()
`

/** What `body` prints after three connections over this many shards. */
export function happyLines(shards: number): string[] {
  return ['leaked 0', `shards ${Array.from({ length: shards }, (_, i) => String(i)).join(' ')}`]
}

export function esmHost(specifier: string): string {
  return `import { createEngine } from ${JSON.stringify(specifier)}\n${body}`
}

export function cjsHost(specifier: string): string {
  return `const { createEngine } = require(${JSON.stringify(specifier)})\n${body}`
}

/** Fails to compile where types are missing as well: then they are all `any`, and nothing is there to expect. */
export function typedHost(specifier: string): string {
  return `
import {
  createEngine,
  TransportError,
  type Connection,
  type Engine,
  type EngineOptions,
  type LedgerReport,
  type Listener,
  type Transport,
} from ${JSON.stringify(specifier)}
import type runShard from ${JSON.stringify(`${specifier}/worker`)}

export async function typed(engine: Engine): Promise<number> {
  const options: EngineOptions = { shards: 1, wake: { spinMicros: 10 } }
  await using other: Engine = await createEngine(options)
  const transport: Transport = other.transport({ kind: 'memory', name: 'typed' })
  const listener: Listener = await transport.listen((connection: Connection) => connection.close())
  await listener.close()
  // @ts-expect-error a number it is
  await createEngine({ shards: 'two' })
  // @ts-expect-error an endpoint of no kind that exists
  engine.transport({ kind: 'tcp', port: 1 })
  const report: LedgerReport = await engine.close()
  return report.leaked
}

export function codeOf(error: unknown): 'ERR_TIMEOUT' | undefined {
  return error instanceof TransportError && error.code === 'ERR_TIMEOUT' ? error.code : undefined
}

export type Stopped = Awaited<ReturnType<typeof runShard>>
export const stopped: Stopped = 'stopped'
${body}`
}

/** The worker module of a bundled host: bundled by itself, and given with the workerEntry option. */
export const workerModule = `export { default } from 'symphony-transport/worker'\n`

/** Says which native memory there is, or why there is none. No host imports this itself: it has no name for it. */
export function nativeMemoryHost(specifier: string): string {
  return `
import { findNativeMemory } from ${JSON.stringify(specifier)}
void findNativeMemory().then(({ memory, reason }) => console.log(memory ? memory.provider : reason))
`
}
