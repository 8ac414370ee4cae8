/** Peers that say anything in the place of a handshake, to either side of a live engine. */
import net from 'node:net'
import test from 'ava'
import { createEngine, TransportError } from '../../api/index.js'
import { encodeAnswer, encodeHello, encodeOffer } from '../../engine/shared-memory/handshake-messages.js'
import { garbled, hellos, offers } from '../helpers/handshake-garble.js'
import { byLength } from '../helpers/length.js'
import { Random, testSeed } from '../helpers/random.js'
import { rawFrame, RawReader } from '../helpers/raw-frames.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { turns, until } from '../helpers/turns.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 120_000
const PEERS = byLength({ short: 300, long: 1_000 })
const AT_ONCE = 20
const SILENT_ONE_IN = 100

failOnWarnings()

const seed = testSeed()
const declare = process.platform === 'win32' ? test.serial.skip : test.serial

/** As one frame, or as one whose length is wrong, or not as one at all; whole or in two pieces. */
async function say(random: Random, socket: net.Socket, message: Buffer): Promise<void> {
  let bytes = rawFrame(message)
  if (random.oneIn(12)) bytes.writeUInt32LE(random.pick([0, 511, 512, 513, 0x7fff_ffff, 0xffff_ffff]), 0)
  if (random.oneIn(12)) bytes = Buffer.from(message)
  const cut = random.oneIn(3) ? random.below(bytes.length + 1) : bytes.length
  socket.write(bytes.subarray(0, cut))
  if (cut === bytes.length) return
  await turns(random.below(4))
  if (!random.oneIn(4)) socket.write(bytes.subarray(cut))
}

function leave(random: Random, socket: net.Socket): void {
  if (random.oneIn(2)) socket.destroy()
  else socket.end()
}

function quiet(socket: net.Socket): net.Socket {
  return socket.on('error', () => undefined)
}

declare(`a listener refuses or serves ${String(PEERS)} peers that say anything (seed ${String(seed)})`, async (t) => {
  t.timeout(WATCHDOG_MS)
  const random = new Random(seed)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const engine = await createEngine({ shards: 2 })
  try {
    const transport = engine.transport(`shm:${path}`)
    const listener = await transport.listen((connection) => {
      connection.subscribe((frame) => void connection.send(frame), { borrow: true })
    })
    const peer = async (): Promise<void> => {
      const socket = quiet(net.connect(path))
      const reader = new RawReader(socket)
      const gone = new Promise((resolve) => socket.on('close', resolve))
      await say(random, socket, garbled(random, encodeHello(random.pick(hellos))))
      if (random.oneIn(2)) {
        const ended = turns(200).then(() => undefined)
        await Promise.race([reader.next().catch(() => undefined), ended])
        await say(random, socket, garbled(random, encodeAnswer(random.pick(['socket', 'path', 'descriptor']))))
        if (random.oneIn(2)) await say(random, socket, garbled(random, Buffer.from('a frame')))
      }
      await turns(random.below(20))
      leave(random, socket)
      socket.resume()
      await gone
    }
    for (let done = 0; done < PEERS; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, peer))
    await until(() => {
      const { accepted, refused } = listener.stats()
      return accepted + refused === PEERS && engine.stats().connections === 0
    })
    const { accepted, refused } = listener.stats()
    t.log(`${String(accepted)} accepted, ${String(refused)} refused`)
    t.true(accepted > 0 && refused > PEERS / 4)
    const connection = await transport.connect()
    connection.send('still there')
    t.is(String(await connection.receive()), 'still there')
    await connection.close()
    await listener.close()
    const { segments, mappings, lanes, regions, connections } = engine.stats().ledger.byKind
    t.deepEqual(
      [segments, mappings, lanes, regions, connections].map(({ open }) => open),
      [0, 0, 0, 0, 0],
    )
  } finally {
    const { leaked, byKind } = await engine.close()
    t.is(leaked, 0, JSON.stringify(byKind))
    await folder.remove()
  }
})

declare(
  `a dialler connects or fails with ${String(PEERS)} listeners that say anything (seed ${String(seed)})`,
  async (t) => {
    t.timeout(WATCHDOG_MS)
    const random = new Random(seed)
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    const engine = await createEngine({ shards: 2, maxRingBytes: 32_768 })
    const open = new Set<net.Socket>()
    let met = 0
    const server = net.createServer((socket) => {
      open.add(quiet(socket).on('close', () => open.delete(socket)))
      // For certain, whatever chance has the others do: the dial times out.
      if (met++ % SILENT_ONE_IN === 0) return
      const reader = new RawReader(socket)
      const serve = async (): Promise<void> => {
        if (!random.oneIn(5)) await reader.next()
        await say(random, socket, garbled(random, encodeOffer(random.pick(offers))))
        if (random.oneIn(2)) await Promise.race([reader.next(), turns(100)])
        // Some stay, and say nothing more.
        if (!random.oneIn(6)) leave(random, socket)
      }
      serve().catch(() => undefined)
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const outcomes = new Map<string, number>()
    try {
      const transport = engine.transport(`shm:${path}`, { connectTimeoutMs: 300 })
      const dial = async (): Promise<void> => {
        let outcome
        try {
          const connection = await transport.connect()
          outcome = connection.info.memory ?? 'none'
          connection.destroy()
        } catch (error) {
          outcome = error instanceof TransportError ? error.code : String(error)
        }
        outcomes.set(outcome, 1 + (outcomes.get(outcome) ?? 0))
      }
      for (let done = 0; done < PEERS; done += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, dial))
        for (const socket of open) socket.destroy()
      }
      t.log(JSON.stringify([...outcomes]))
      const known = ['socket', 'ERR_HANDSHAKE', 'ERR_RESET', 'ERR_TIMEOUT']
      t.deepEqual(
        [...outcomes.keys()].filter((outcome) => !known.includes(outcome)),
        [],
      )
      t.true(known.every((outcome) => (outcomes.get(outcome) ?? 0) > 0))
      await until(() => engine.stats().connections === 0 && engine.stats().ledger.byKind.lanes.open === 0)
      const { segments, mappings, duplicates, connections, dials } = engine.stats().ledger.byKind
      t.deepEqual(
        [segments, mappings, connections, dials].map(({ open: left }) => left),
        [0, 0, 0, 0],
      )
      t.is(duplicates.open, 0)
    } finally {
      const { leaked, byKind } = await engine.close()
      t.is(leaked, 0, JSON.stringify(byKind))
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await folder.remove()
    }
  },
)
