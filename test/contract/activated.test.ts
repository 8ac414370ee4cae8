import { addressParts } from './parts.js'
import { transportContract } from './transport-contract.js'
import { activated } from './transports.js'

transportContract(activated, addressParts)
