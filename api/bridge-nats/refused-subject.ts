import { TransportError } from '../../engine/protocol/errors.js'

/** The server does not let this user hear of a subject. */
export function refusedSubject(subject: string): TransportError {
  const message = `NATS: this user may not subscribe there. Allow it to publish and to subscribe to ${subject} and ${subject}.>.`
  return new TransportError('ERR_ACCESS', message)
}
