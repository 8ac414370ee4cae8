import { bridged } from './bridged.js'
import { transportContract } from './transport-contract.js'

transportContract(bridged('streams'))
