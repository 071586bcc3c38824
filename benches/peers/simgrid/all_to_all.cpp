// An all-to-all on a crossbar or a Clos, in SimGrid's flow model without TCP effects.
//
//   all_to_all crossbar|clos CHIPS BYTES SPREAD SEED
//
// prints "end SOURCE TO SECONDS" for each flow on stdout, and wall and processor time of the simulation alone on stderr.
//
// SimGrid cannot split a flow over paths, so in the Clos each bundle of equal paths is one link with the bundle's capacity: a
// chip's 7 ports, a leaf's 7 x 16 up-links, its 7 x 16 down-links. For an even spray this is the same model.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include <simgrid/s4u.hpp>

namespace sg4 = simgrid::s4u;

static const double INJECTION = 100e9; // bytes/s
static const int CHIPS_PER_L1 = 8;

static uint64_t scramble(uint64_t number)
{
  uint64_t bits = number + 0x9e3779b97f4a7c15ULL;
  bits          = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ULL;
  bits          = (bits ^ (bits >> 27)) * 0x94d049bb133111ebULL;
  return bits ^ (bits >> 31);
}

int main(int argc, char** argv)
{
  sg4::Engine engine(&argc, argv);
  for (const char* setting : {"network/model:CM02", "network/TCP-gamma:0", "network/bandwidth-factor:1", "network/latency-factor:1",
                              "network/crosstraffic:0", "network/weight-S:0", "precision/timing:1e-12", "precision/work-amount:1e-6"})
    sg4::Engine::set_config(setting);
  if (argc != 6) {
    std::fprintf(stderr, "usage: all_to_all crossbar|clos CHIPS BYTES SPREAD SEED\n");
    return 2;
  }
  const bool clos       = std::string(argv[1]) == "clos";
  const int chips       = std::stoi(argv[2]);
  const double bytes    = std::stod(argv[3]);
  const double spread   = std::stod(argv[4]);
  const uint64_t seed   = std::stoull(argv[5]);

  auto* zone = engine.get_netzone_root()->add_netzone_full("fabric");
  auto links = [&](const std::string& name, int count, double capacity) {
    std::vector<const sg4::Link*> made;
    for (int i = 0; i < count; i++)
      made.push_back(zone->add_link(name + std::to_string(i), capacity)->set_latency(0.0));
    return made;
  };
  std::vector<sg4::Host*> host;
  for (int i = 0; i < chips; i++)
    host.push_back(zone->add_host("chip" + std::to_string(i), 1e9));
  const int leaves = (chips + CHIPS_PER_L1 - 1) / CHIPS_PER_L1;
  const auto up = links("up", chips, INJECTION), down = links("down", chips, INJECTION);
  const auto trunk_up = links("trunk_up", clos ? leaves : 0, INJECTION * CHIPS_PER_L1);
  const auto trunk_down = links("trunk_down", clos ? leaves : 0, INJECTION * CHIPS_PER_L1);
  for (int source = 0; source < chips; source++)
    for (int to = 0; to < chips; to++) {
      if (source == to)
        continue;
      std::vector<sg4::LinkInRoute> route{sg4::LinkInRoute(up[source])};
      const int leaf = source / CHIPS_PER_L1, leaf_to = to / CHIPS_PER_L1;
      if (clos && leaf != leaf_to) {
        route.emplace_back(trunk_up[leaf]);
        route.emplace_back(trunk_down[leaf_to]);
      }
      route.emplace_back(down[to]);
      zone->add_route(host[source], host[to], route, false);
    }
  zone->seal();

  std::vector<double> end(static_cast<size_t>(chips) * (chips - 1));
  host[0]->add_actor("sender", [&]() {
    sg4::ActivitySet all;
    uint64_t flow = 0;
    for (int source = 0; source < chips; source++)
      for (int to = 0; to < chips; to++) {
        if (source == to)
          continue;
        const double unit = static_cast<double>(scramble(scramble(seed) ^ flow) >> 11) / 9007199254740992.0;
        const auto size   = static_cast<uint64_t>(std::llround(bytes * (1.0 + spread * unit)));
        auto comm         = sg4::Comm::sendto_init(host[source], host[to])->set_payload_size(size);
        comm->on_this_completion_cb([&end, flow](const sg4::Comm&) { end[flow] = sg4::Engine::get_clock(); });
        comm->start();
        all.push(comm);
        flow++;
      }
    all.wait_all();
  });
  const auto began     = std::chrono::steady_clock::now();
  const auto processor = std::clock();
  engine.run();
  const double used = static_cast<double>(std::clock() - processor) / CLOCKS_PER_SEC;
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;

  size_t flow = 0;
  for (int source = 0; source < chips; source++)
    for (int to = 0; to < chips; to++)
      if (source != to)
        std::printf("end %d %d %.17g\n", source, to, end[flow++]);
  std::fprintf(stderr, "wall_s %.6f\nprocessor_s %.6f\n", wall.count(), used);
}
