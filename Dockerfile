# One image for all services of a cell; the command says which one a container is.

FROM node:20-bookworm-slim AS build
WORKDIR /app
# better-sqlite3 is compiled where there is no built copy for the platform.
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 make g++ \
  && rm -rf /var/lib/apt/lists/*
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY drivers ./drivers
COPY services ./services
COPY simulators ./simulators
COPY web ./web
RUN npm run build && npm prune --omit=dev

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
# Profiles and the page are read as they are written.
COPY drivers/profiles ./drivers/profiles
COPY web ./web
COPY examples ./examples
# Sockets live below TMPDIR, databases in /data; both belong to the service user.
ENV TMPDIR=/run/servocell
RUN mkdir -p /run/servocell /data \
  && chown node:node /run/servocell /data \
  && chmod 0700 /run/servocell
USER node
VOLUME ["/run/servocell", "/data"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "/app/dist/services/cli/main.js"]
CMD ["--help"]
