/** Unix sockets that the process was started with, such as those of systemd: to listen on. */
import { fromSystemError, TransportError } from '../../engine/protocol/errors.js'
import type { TargetOf } from '../../engine/protocol/target.js'
import { refusedDial, type ListeningTransport } from '../shard-transport.js'
import { listenOnDuplicate } from './duplicate-listener.js'

export const fdTransport: ListeningTransport<TargetOf<'fd'>> = {
  dial({ fd }) {
    const message = `fd:${String(fd)} is a socket to listen on: it cannot be connected to. Connect to its path.`
    return refusedDial(new TransportError('ERR_INVALID_ENDPOINT', message))
  },

  listen(target, backlog, onAccepted, onFailure, descriptors) {
    const endpoint = `fd:${String(target.fd)}`
    const refused = (error: NodeJS.ErrnoException): Error => {
      if (error.code !== 'EINVAL') return fromSystemError(error, 'listening on', endpoint)
      const message = `listening on ${endpoint}: that socket does not listen. Pass one on which the parent has called listen().`
      return new TransportError('ERR_NOT_A_SOCKET', message, { cause: error })
    }
    return listenOnDuplicate(target, backlog, onAccepted, onFailure, descriptors, refused)
  },
}
