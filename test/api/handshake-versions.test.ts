/** Both ends of a `shm:` endpoint that have no version of the handshake in common. */
import net from 'node:net'
import { once } from 'node:events'
import process from 'node:process'
import test from 'ava'
import { createEngine } from '../../api/index.js'
import { encodeHello, encodeOffer } from '../../engine/shared-memory/handshake-messages.js'
import { rejects } from '../helpers/expected-errors.js'
import { nextEvent } from '../helpers/faults.js'
import { hellos } from '../helpers/handshake-garble.js'
import { rawFrame, RawReader } from '../helpers/raw-frames.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { failOnWarnings } from '../helpers/warnings.js'

const WATCHDOG_MS = 30_000
const declare = process.platform === 'win32' ? test.serial.skip : test.serial

failOnWarnings()

/** Of a later version, which may say more, and mean something else by the rest. */
function laterHello(moreBytes: number): Buffer {
  const hello = encodeHello(hellos[0])
  hello.writeUInt8(2, 9)
  hello.writeUInt8(3, 10)
  hello.writeUInt32LE(12_345, 12)
  return Buffer.concat([hello, Buffer.alloc(moreBytes, 7)])
}

for (const [what, moreBytes] of [
  ['', 0],
  [', and says more', 24],
] as const)
  declare(`a peer of later versions that dials is told the versions of this end${what}`, async (t) => {
    t.timeout(WATCHDOG_MS)
    const folder = await makeTemporaryFolder()
    const path = folder.socketPath()
    const engine = await createEngine({ shards: 1 })
    try {
      await engine.transport(`shm:${path}`).listen()
      const refused = nextEvent('listener.refused')
      const peer = net.connect(path)
      const reader = new RawReader(peer)
      peer.write(rawFrame(laterHello(moreBytes)))
      const offer = await reader.next()
      t.deepEqual([offer?.readUInt8(8), offer?.readUInt8(9), offer?.readUInt8(10), offer?.readUInt8(11)], [2, 0, 1, 1])
      const closed = once(peer, 'close')
      peer.end()
      await closed
      await refused
    } finally {
      t.is((await engine.close({ graceMs: 0 })).leaked, 0)
      await folder.remove()
    }
  })

declare('a peer of later versions that listens is an error which names the versions of both', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const engine = await createEngine({ shards: 1 })
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    const refusal = encodeOffer({ kind: 'refused', lowestVersion: 2, highestVersion: 3 })
    socket.once('data', () => socket.write(rawFrame(refusal)))
  })
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve))
    const error = await rejects(t, engine.transport(`shm:${path}`).connect(), 'ERR_HANDSHAKE')
    t.regex(error.message, /versions 2 to 3 .* version 1/)
  } finally {
    t.is((await engine.close({ graceMs: 0 })).leaked, 0)
    await new Promise((resolve) => server.close(resolve))
    await folder.remove()
  }
})
