/**
 * Accepts connections, sends back what each sends, and records which have come and when the last one came.
 */
import net from 'node:net'
import process from 'node:process'
import { endpointAt } from '../harness/meeting-place.js'
import { CALL_ID_AT, type AcceptorConfig, type AcceptorOrder, type AcceptorReport } from '../harness/calls.js'
import { measuredEngine } from './engine-stack.js'

const config = JSON.parse(process.argv[2] ?? '{}') as AcceptorConfig

let wanted = 0
let accepted = 0
let twice = 0
let seen = new Uint8Array(0)
let lastNs = 0n

function say(message: AcceptorReport | { readonly kind: 'ready' } | { readonly kind: 'armed' }): void {
  process.send?.(message)
}

function onAccepted(): void {
  if (++accepted === wanted) lastNs = process.hrtime.bigint()
}

function onCall(id: number): void {
  if (seen[id] !== 0) twice++
  seen[id] = 1
}

/** Returns a function that releases everything and says whether all was released. */
async function listen(): Promise<() => Promise<boolean>> {
  if (config.stack === 'net') {
    const open = new Set<net.Socket>()
    const server = net.createServer((socket) => {
      open.add(socket)
      onAccepted()
      socket.on('error', () => undefined)
      socket.on('close', () => open.delete(socket))
      socket.on('data', (frame) => {
        onCall(frame.readUInt32LE(CALL_ID_AT))
        socket.write(frame)
      })
    })
    await new Promise<void>((resolve) => server.listen(config.path, resolve))
    return () => {
      server.close()
      for (const socket of open) socket.destroy()
      return Promise.resolve(true)
    }
  }
  const engine = await measuredEngine({ engine: config.engine, shards: config.shards })
  await engine.transport(endpointAt(config.path)).listen((connection) => {
    onAccepted()
    connection.subscribe(
      (frame) => {
        onCall(frame.readUInt32LE())
        connection.send(frame)
      },
      { borrow: true },
    )
  })
  return async () => (await engine.close({ graceMs: 0 })).leaked === 0
}

const release = await listen()

process.on('message', (order: AcceptorOrder) => {
  if (order.kind === 'watch') {
    wanted = order.count
    accepted = twice = 0
    seen = new Uint8Array(order.count)
    say({ kind: 'armed' })
    return
  }
  const calls = seen.reduce((sum, one) => sum + one, 0)
  say({ kind: 'report', accepted, calls, twice, lastNs: lastNs.toString() })
})

process.once('disconnect', () => {
  void release().then((released) => {
    process.exitCode = released ? 0 : 3
  })
})

say({ kind: 'ready' })
