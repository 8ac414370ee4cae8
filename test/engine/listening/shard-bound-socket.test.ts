/** Sockets that a shard binds and main names, as in Deno; here a plain server stands for the shard. */
import fs from 'node:fs'
import net from 'node:net'
import process from 'node:process'
import test, { type ExecutionContext } from 'ava'
import { Ledger } from '../../../engine/common/ledger.js'
import { ShardBoundSocket } from '../../../engine/listening/shard-bound-socket.js'
import type { ShardListening, ShardListenRequest } from '../../../engine/listening/shard-listening.js'
import type { Outcome } from '../../../engine/protocol/errors.js'
import type { Shard } from '../../../engine/shard/shard.js'
import { listenByServer } from '../../../workers/transports/server-listener.js'
import type { ListenHandle } from '../../../workers/shard-transport.js'
import { rejects } from '../../helpers/expected-errors.js'
import { isLive } from '../../helpers/stale-socket.js'
import { makeTemporaryFolder, type TemporaryFolder } from '../../helpers/temporary-folder.js'

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial
const LISTENER_ID = 7

class ServingShard implements ShardListening {
  isUp = true
  handle: ListenHandle | undefined

  get asShard(): Shard {
    return this as unknown as Shard
  }

  async listen({ target }: ShardListenRequest): Promise<Outcome> {
    if (!('bindAt' in target)) throw new Error('it is to be bound here')
    const options = { path: target.bindAt, exclusive: true }
    const reject = (peer: { reject(): void }): void => peer.reject()
    this.handle = await listenByServer(
      options,
      1,
      reject,
      () => undefined,
      (error) => error,
    )
    return { ok: true }
  }

  resume(): Promise<Outcome> {
    return Promise.resolve({ ok: true })
  }

  async unlisten(): Promise<void> {
    await this.handle?.close()
    this.handle = undefined
  }
}

interface Fixture {
  readonly folder: TemporaryFolder
  readonly path: string
  readonly ledger: Ledger
  /** Listens on a shard, which is one and the same. */
  readonly listen: (shard: ServingShard) => Promise<Outcome>
  readonly on: (shard: ServingShard) => ShardListening
}

async function withFixture(t: ExecutionContext, body: (fixture: Fixture) => Promise<void>): Promise<void> {
  t.timeout(20_000)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const ledger = new Ledger()
  const settings = { on: (shard: Shard) => shard as unknown as ShardListening, endpoint: `unix:${path}`, mode: 0o640 }
  const socket = new ShardBoundSocket(settings, ledger)
  const on = (shard: ServingShard): ShardListening => socket.on(shard.asShard)
  const request = { listenerId: LISTENER_ID, target: { kind: 'unix', path } } as unknown as ShardListenRequest
  try {
    await body({ folder, path, ledger, on, listen: (shard) => on(shard).listen(request, undefined) })
    t.is(ledger.snapshot().byKind.socketFiles.open, 0)
    t.deepEqual(fs.readdirSync(folder.path), [])
  } finally {
    await folder.remove()
  }
}

onUnix('the file has its mode when it gets the name, and goes with the listener', (t) =>
  withFixture(t, async ({ folder, path, ledger, listen, on }) => {
    const shard = new ServingShard()
    t.deepEqual(await listen(shard), { ok: true })
    t.is(fs.statSync(path).mode & 0o777, 0o640)
    t.is(fs.readdirSync(folder.path).length, 1)
    t.true(await isLive(path))
    t.is(ledger.snapshot().byKind.socketFiles.open, 1)
    await on(shard).unlisten(LISTENER_ID)
    t.is(shard.handle, undefined)
  }),
)

onUnix('the file of a dead shard goes at once, and another shard may bind', (t) =>
  withFixture(t, async ({ path, listen, on }) => {
    const [one, other] = [new ServingShard(), new ServingShard()]
    await listen(one)
    await one.unlisten()
    on(other).lost?.()
    t.true(fs.existsSync(path))
    on(one).lost?.()
    t.false(fs.existsSync(path))
    await listen(other)
    t.true(await isLive(path))
    await on(other).unlisten(LISTENER_ID)
  }),
)

onUnix('what another process has put in the place of a dead one stays', (t) =>
  withFixture(t, async ({ path, listen, on }) => {
    const shard = new ServingShard()
    await listen(shard)
    await shard.unlisten()
    fs.unlinkSync(path)
    const stranger = net.createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => stranger.listen(path, resolve))
    on(shard).lost?.()
    t.true(await isLive(path))
    await rejects(t, listen(shard), 'ERR_ADDRESS_IN_USE')
    t.is(shard.handle, undefined)
    await new Promise((resolve) => stranger.close(resolve))
  }),
)

onUnix('one shard binds at a time, and one that dies meanwhile leaves nothing', (t) =>
  withFixture(t, async ({ listen, on }) => {
    const [dying, other] = [new ServingShard(), new ServingShard()]
    const listening = listen(dying)
    dying.isUp = false
    await rejects(t, listen(other), 'ERR_ADDRESS_IN_USE')
    await rejects(t, listening, 'ERR_SHARD_LOST')
    await dying.unlisten()
    t.deepEqual(await listen(other), { ok: true })
    await on(other).unlisten(LISTENER_ID)
  }),
)
