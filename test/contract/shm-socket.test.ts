import { shared } from './shared.js'
import { fallbackParts } from './parts.js'
import { transportContract } from './transport-contract.js'

// One end does not share memory: frames go over the socket.
transportContract({ ...shared('shm'), memory: 'socket', dialOptions: { memory: 'socket' } }, fallbackParts)
