/** What a wire over a real socket gives the kernel at once, and what becomes of the rest. */
import fs from 'node:fs'
import net from 'node:net'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { descriptorOf } from '../../../engine/internals/socket-handle.js'
import { MAX_TRIED_BYTES, type Wire } from '../../../workers/wire.js'
import { PairWire } from '../../../workers/transports/pair-wire.js'
import { SocketWire } from '../../../workers/transports/socket-wire.js'
import { patternBytes } from '../../helpers/random.js'
import { Taker } from '../../helpers/taker.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

const WATCHDOG_MS = 20_000
// Where there is no descriptor nothing is ever tried. Serial: one of them watches a function of the system.
const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

failOnWarnings()

interface Stage {
  readonly socket: net.Socket
  readonly owner: Taker
  readonly wire: Wire
  readonly peer: net.Socket
}

/** A socket and its peer, which does not read yet. */
async function connect(path: string): Promise<{ readonly socket: net.Socket; readonly peer: net.Socket }> {
  const server = net.createServer({ pauseOnConnect: true })
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const socket = net.connect({ path, allowHalfOpen: true })
  const peer = await accepted
  peer.on('error', () => undefined)
  await until(() => !socket.connecting)
  server.close()
  return { socket, peer }
}

async function stage(t: ExecutionContext, body: (stage: Stage) => Promise<void>): Promise<void> {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const { socket, peer } = await connect(folder.socketPath())
  const owner = new Taker()
  try {
    await body({ socket, owner, peer, wire: new SocketWire(socket, owner) })
  } finally {
    socket.destroy()
    peer.destroy()
    await folder.remove()
  }
}

/** All that the peer reads from here on. */
function readAll(peer: net.Socket): { readonly bytes: () => Buffer } {
  const chunks: Buffer[] = []
  peer.on('data', (chunk: Buffer) => chunks.push(chunk)).resume()
  return { bytes: () => Buffer.concat(chunks) }
}

/** As a ring is. */
function shared(bytes: Uint8Array): Buffer {
  const memory = Buffer.from(new SharedArrayBuffer(bytes.length))
  memory.set(bytes)
  return memory
}

/** Bytes that the kernel has taken of `bytes` by the time it takes no more. */
function fill(wire: Wire, bytes: Buffer, step: number): number {
  let taken = 0
  while (taken < bytes.length) {
    const more = wire.tryWrite(bytes, taken, Math.min(step, bytes.length - taken))
    taken += more
    if (more < step) break
  }
  return taken
}

onUnix('what is tried is in the kernel when the call returns, and nothing follows', async (t) => {
  await stage(t, async ({ wire, owner, peer }) => {
    const bytes = shared(Buffer.from('not this: hello'))
    t.is(wire.tryWrite(bytes, 10, 5), 5)
    const read = readAll(peer)
    await until(() => read.bytes().length === 5)
    t.is(String(read.bytes()), 'hello')
    t.deepEqual(owner.calls, [])
  })
})

onUnix('what a full socket does not take is written behind what it took, and then it is tried again', async (t) => {
  await stage(t, async ({ wire, owner, peer }) => {
    const bytes = shared(patternBytes(2_000_000, 1))
    const taken = fill(wire, bytes, 1000)
    t.true(taken > 0 && taken < bytes.length, `${String(taken)} bytes were taken`)
    wire.write(bytes.subarray(taken, -10), undefined)
    t.is(wire.tryWrite(bytes, bytes.length - 10, 10), 0, 'something waits')
    const read = readAll(peer)
    await until(() => owner.calls.length > 0)
    t.deepEqual(owner.calls, ['written'])
    await until(() => read.bytes().length === bytes.length - 10)
    t.is(wire.tryWrite(bytes, bytes.length - 10, 10), 10)
    await until(() => read.bytes().length === bytes.length)
    t.true(read.bytes().equals(bytes))
  })
})

onUnix('a full socket is asked once, until a write has completed', async (t) => {
  await stage(t, async ({ wire, owner, peer }) => {
    const bytes = shared(patternBytes(2_000_000, 1))
    const taken = fill(wire, bytes, 1000)
    const { writeSync } = fs
    let asked = 0
    fs.writeSync = ((...args: Parameters<typeof writeSync>) => {
      asked++
      return writeSync(...args)
    }) as typeof writeSync
    try {
      t.is(wire.tryWrite(bytes, taken, 1000), 0)
      t.is(asked, 0)
      wire.write(bytes.subarray(taken, taken + 1000), undefined)
      peer.resume()
      await until(() => owner.calls.includes('written'))
      t.is(wire.tryWrite(bytes, taken + 1000, 1000), 1000)
      t.is(asked, 1)
    } finally {
      fs.writeSync = writeSync
    }
  })
})

onUnix('nothing is tried while Node has bytes that wait', async (t) => {
  await stage(t, async ({ wire, owner, peer }) => {
    const bytes = shared(patternBytes(2_000_000, 1))
    wire.write(bytes, undefined)
    // The kernel has room now, of which Node does not know.
    const beginning = Buffer.alloc(150_000)
    const length = fs.readSync(descriptorOf(peer) ?? -1, beginning)
    t.is(wire.tryWrite(shared(Buffer.from('ahead')), 0, 5), 0)
    const read = readAll(peer)
    await until(() => owner.calls.includes('written'))
    await until(() => length + read.bytes().length === bytes.length)
    t.true(Buffer.concat([beginning.subarray(0, length), read.bytes()]).equals(bytes))
  })
})

onUnix('what is large is not tried', async (t) => {
  await stage(t, ({ wire }) => {
    t.is(wire.tryWrite(shared(patternBytes(MAX_TRIED_BYTES + 1, 1)), 0, MAX_TRIED_BYTES + 1), 0)
    return Promise.resolve()
  })
})

onUnix('a peer that is gone takes nothing, and the write that follows says so', async (t) => {
  await stage(t, async ({ wire, owner, peer }) => {
    peer.destroy()
    await until(() => peer.closed)
    const bytes = shared(Buffer.from('late'))
    t.is(wire.tryWrite(bytes, 0, 4), 0)
    t.deepEqual(owner.calls, [])
    wire.write(bytes, undefined)
    await until(() => owner.calls.includes('close'))
    t.false(owner.calls.includes('written'))
  })
})

onUnix('an end after a try is an end: the peer gets all, then the end', async (t) => {
  await stage(t, async ({ wire, owner, peer }) => {
    t.is(wire.tryWrite(shared(Buffer.from('last')), 0, 4), 4)
    wire.end()
    t.is(wire.tryWrite(shared(Buffer.from('late')), 0, 4), 0)
    const read = readAll(peer)
    await until(() => owner.calls.includes('finished'))
    await until(() => peer.readableEnded)
    t.is(String(read.bytes()), 'last')
  })
})

onUnix('a destroyed wire takes nothing, though its descriptor may be that of another by now', async (t) => {
  await stage(t, async ({ wire, owner }) => {
    wire.destroy()
    const { writeSync } = fs
    let asked = false
    fs.writeSync = () => {
      asked = true
      return 4
    }
    try {
      t.is(wire.tryWrite(shared(Buffer.from('late')), 0, 4), 0)
      await until(() => owner.calls.includes('close'))
      t.is(wire.tryWrite(shared(Buffer.from('late')), 0, 4), 0)
    } finally {
      fs.writeSync = writeSync
    }
    t.false(asked)
  })
})

onUnix('of a pair of sockets the writer is tried', async (t) => {
  await stage(t, async ({ socket, peer }) => {
    const folder = await makeTemporaryFolder()
    const other = await connect(folder.socketPath())
    try {
      const wire = new PairWire(socket, other.socket, new Taker())
      const read = readAll(peer)
      t.is(wire.tryWrite(shared(Buffer.from('to stdin')), 0, 8), 8)
      await until(() => read.bytes().length === 8)
      t.is(String(read.bytes()), 'to stdin')
    } finally {
      other.socket.destroy()
      other.peer.destroy()
      await folder.remove()
    }
  })
})
