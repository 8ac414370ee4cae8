import { addressParts } from './parts.js'
import { transportContract } from './transport-contract.js'
import { abstract } from './transports.js'

transportContract(abstract, addressParts)
