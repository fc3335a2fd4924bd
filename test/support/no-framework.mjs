// In place of Nest and Fastify for unit tests.
throw new Error('a unit spec loads the framework: name it *.int.spec.ts, or import what it tests from its own file')
