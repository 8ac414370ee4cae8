/**
 * A Unix socket that one shard binds, where main can pass none to it: in a private folder that main makes. Main then
 * gives its file the mode and the name, as it does with a socket of its own. The socket ends with its shard, and the
 * next one binds another. See docs/decisions/listening-in-deno.md.
 */
import type { Ledger } from '../common/ledger.js'
import { deserializeError, TransportError, type Outcome } from '../protocol/errors.js'
import { isAbstract, type UnixTarget } from '../protocol/target.js'
import type { Shard } from '../shard/shard.js'
import { prepareSocketFile, type SocketFile } from '../sockets/socket-file.js'
import type { BindingSettings, ShardListening, ShardListenRequest } from './shard-listening.js'

type State =
  | { readonly kind: 'free' }
  | { readonly kind: 'binding' }
  /** `file` is undefined for an abstract name. */
  | { readonly kind: 'bound'; readonly shard: Shard; readonly file: SocketFile | undefined }

const free: State = { kind: 'free' }

export class ShardBoundSocket {
  readonly #settings: Pick<BindingSettings, 'on' | 'endpoint' | 'mode'>
  readonly #ledger: Ledger
  #state: State = free

  constructor(settings: Pick<BindingSettings, 'on' | 'endpoint' | 'mode'>, ledger: Ledger) {
    this.#settings = settings
    this.#ledger = ledger
  }

  readonly on = (shard: Shard): ShardListening => {
    const there = this.#settings.on(shard)
    return {
      listen: (request) => this.#listen(shard, there, request),
      resume: (listenerId, target) => there.resume(listenerId, target, undefined),
      unlisten: async (listenerId) => {
        // Before the socket closes, as everywhere.
        await this.#release((file) => file.remove())
        await there.unlisten(listenerId)
      },
      abandon: (listenerId) => there.abandon?.(listenerId),
      lost: () => {
        if (this.#state.kind === 'bound' && this.#state.shard === shard)
          void this.#release((file) => file.removeStale())
      },
    }
  }

  async #listen(shard: Shard, there: ShardListening, request: ShardListenRequest): Promise<Outcome> {
    const { target } = request
    const { endpoint } = this.#settings
    if (target.kind !== 'unix') throw new Error(`${target.kind} is not bound by shards`)
    if (this.#state.kind !== 'free') {
      const message = 'another worker thread is binding it just now. Listen again.'
      throw new TransportError('ERR_ADDRESS_IN_USE', message, { endpoint })
    }
    this.#state = { kind: 'binding' }
    try {
      const file = await this.#bind(there, request, target)
      this.#state = { kind: 'bound', shard, file }
      if (file !== undefined) this.#ledger.open('socketFiles')
    } finally {
      if (this.#state.kind === 'binding') this.#state = free
    }
    if (shard.isUp) return { ok: true }
    // It died while its socket got the name, and nobody has heard of that name here.
    this.on(shard).lost?.()
    throw new TransportError('ERR_SHARD_LOST', 'its worker thread died meanwhile. Listen again.', { endpoint })
  }

  async #bind(there: ShardListening, request: ShardListenRequest, target: UnixTarget): Promise<SocketFile | undefined> {
    const { mode, endpoint } = this.#settings
    const file = isAbstract(target) ? undefined : await prepareSocketFile(target, mode, endpoint)
    let isListening = false
    try {
      const outcome = await there.listen(
        { ...request, target: { ...target, bindAt: file?.bindPath ?? target.path } },
        undefined,
      )
      if (!outcome.ok) throw deserializeError(outcome.error, endpoint)
      isListening = true
      await file?.publish()
      return file
    } catch (error) {
      await file?.remove()
      if (isListening) await there.unlisten(request.listenerId)
      throw error
    }
  }

  async #release(remove: (file: SocketFile) => void | Promise<void>): Promise<void> {
    if (this.#state.kind !== 'bound') return
    const { file } = this.#state
    this.#state = free
    if (file === undefined) return
    await remove(file)
    this.#ledger.release('socketFiles')
  }
}
