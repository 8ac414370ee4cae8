import { sharedUnixParts } from './parts.js'
import { shared } from './shared.js'
import { transportContract } from './transport-contract.js'

transportContract({ ...shared('unix'), options: { memory: 'shared' } }, sharedUnixParts)
