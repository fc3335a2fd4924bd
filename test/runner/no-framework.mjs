// A unit spec that loads Nest or Fastify takes longer to load than to run.
import { registerHooks } from 'node:module'

const FRAMEWORK = /^(@nestjs\/(core|microservices|platform-fastify|swagger)|fastify)$/

registerHooks({
  resolve(specifier, context, next) {
    if (FRAMEWORK.test(specifier)) {
      throw new Error(
        `a unit spec loads the framework: name it *.int.spec.ts, or import what it tests from its own file (${specifier} from ${context.parentURL})`,
      )
    }
    return next(specifier, context)
  },
})
