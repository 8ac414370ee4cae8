/** Main's duplicate of a socket, over real sockets. */
import net from 'node:net'
import os from 'node:os'
import test from 'ava'
import type { DuplicateReader } from '../../../engine/connection/lane-host.js'
import { handleOf, NOTHING_CAME } from '../../../engine/internals/socket-handle.js'
import { Duplicate } from '../../../engine/shard/duplicate.js'
import { makeTemporaryFolder } from '../../helpers/temporary-folder.js'
import { signal, turns, until } from '../../helpers/turns.js'
import { failOnWarnings } from '../../helpers/warnings.js'

failOnWarnings()

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

class Reader implements DuplicateReader {
  readonly into = Buffer.alloc(64)
  readonly calls: string[] = []
  goesOn = true

  onRead(length: number): boolean {
    this.calls.push(this.into.toString('latin1', 0, length))
    return this.goesOn
  }

  onEnd(): void {
    this.calls.push('(end)')
  }

  onFailure(errno: number): void {
    this.calls.push(`(errno ${String(errno)})`)
  }
}

/** A duplicate, here with a handle of its own connection, and the other end. */
async function withDuplicate(body: (duplicate: Duplicate, peer: net.Socket) => Promise<void>): Promise<void> {
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const accepted = signal<net.Socket>()
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, accepted.resolve)
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const peer = net.connect({ path, allowHalfOpen: true })
  peer.on('error', () => undefined)
  const shell = await accepted.promise
  const handle = handleOf(shell)
  if (handle === undefined) throw new Error('there is no handle')
  const duplicate = new Duplicate(handle)
  try {
    await body(duplicate, peer)
  } finally {
    duplicate.close()
    peer.destroy()
    server.close()
    await folder.remove()
  }
}

onUnix('it reads only while it is to read, and loses nothing in between', async (t) => {
  await withDuplicate(async (duplicate, peer) => {
    const reader = new Reader()
    peer.write('one')
    await turns(3)
    t.deepEqual(reader.calls, [])
    duplicate.read(reader.into, reader)
    await until(() => reader.calls.length === 1)
    duplicate.pause()
    peer.write('two')
    await turns(3)
    t.deepEqual(reader.calls, ['one'])
    reader.goesOn = false
    duplicate.read(reader.into, reader)
    await until(() => reader.calls.length === 2)
    peer.write('three')
    await turns(3)
    t.deepEqual(reader.calls, ['one', 'two'])
    t.is(duplicate.readNow(reader.into), 'three'.length)
    t.is(duplicate.readNow(reader.into), NOTHING_CAME)
  })
})

onUnix('it does not read at all if it was to read and is paused in the same turn', async (t) => {
  await withDuplicate(async (duplicate, peer) => {
    const reader = new Reader()
    peer.write('not for main')
    await turns(3)
    duplicate.read(reader.into, reader)
    duplicate.pause()
    await turns(5)
    t.deepEqual(reader.calls, [])
    t.is(duplicate.readNow(reader.into), 'not for main'.length)
  })
})

onUnix('it tells of the end, and is written to after it', async (t) => {
  await withDuplicate(async (duplicate, peer) => {
    const reader = new Reader()
    duplicate.read(reader.into, reader)
    peer.end('last')
    await until(() => reader.calls.length === 2)
    t.deepEqual(reader.calls, ['last', '(end)'])
    t.is(duplicate.readNow(reader.into), 0)
    t.is(duplicate.write(Buffer.from('answer'), 0, 6), 6)
    t.is(String(await new Promise<Buffer>((resolve) => peer.once('data', resolve))), 'answer')
  })
})

onUnix('it tells of an error once, is closed by then, and touches its number no more', async (t) => {
  await withDuplicate(async (duplicate, peer) => {
    const reader = new Reader()
    duplicate.read(reader.into, reader)
    t.is(duplicate.write(Buffer.from('unread'), 0, 6), 6)
    peer.destroy()
    await until(() => reader.calls.length > 0)
    t.deepEqual(reader.calls, [`(errno ${String(os.constants.errno.ECONNRESET)})`])
    t.is(duplicate.write(Buffer.from('x'), 0, 1), 0)
    t.is(duplicate.readNow(reader.into), NOTHING_CAME)
    await turns(3)
    t.is(reader.calls.length, 1)
  })
})
