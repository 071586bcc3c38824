// Flows of a list, staggered, dependent and capped, in SimGrid's flow model without TCP effects.
//
//   flows crossbar|clos CHIPS FILE
//
// FILE has lines "src,dst,bytes,start_s,after,cap" behind a header; "after" lists flows between spaces, an empty "cap" is none. Prints
// "flow,start_s,end_s". Works with SimGrid 3.32 and 4.1; the platforms are those of all_to_all.cpp.
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <simgrid/s4u.hpp>

namespace sg4 = simgrid::s4u;

static const double INJECTION = 100e9; // bytes/s
static const int CHIPS_PER_L1 = 8;

struct Flow {
  int src, dst;
  double bytes, start, cap;
  std::vector<int> after, waiters;
  double began = 0, end = 0;
};

static std::vector<std::string> cells(const std::string& line, char separator)
{
  std::vector<std::string> out;
  std::stringstream stream(line);
  for (std::string cell; std::getline(stream, cell, separator);)
    out.push_back(cell);
  return out;
}

int main(int argc, char** argv)
{
  sg4::Engine engine(&argc, argv);
  for (const char* setting : {"network/model:CM02", "network/TCP-gamma:0", "network/bandwidth-factor:1", "network/latency-factor:1",
                              "network/crosstraffic:0", "network/weight-S:0",
#if SIMGRID_VERSION >= 40000
                              "precision/timing:1e-12", "precision/work-amount:1e-6"
#else
                              "surf/precision:1e-12", "maxmin/precision:1e-12"
#endif
       })
    sg4::Engine::set_config(setting);
  if (argc != 4) {
    std::fprintf(stderr, "usage: flows crossbar|clos CHIPS FILE\n");
    return 2;
  }
  const bool clos = std::string(argv[1]) == "clos";
  const int chips = std::stoi(argv[2]);
  std::vector<Flow> flows;
  std::ifstream file(argv[3]);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    auto row = cells(line, ',');
    row.resize(6);
    Flow flow{std::stoi(row[0]), std::stoi(row[1]), std::stod(row[2]), row[3].empty() ? 0 : std::stod(row[3]), row[5].empty() ? 0 : std::stod(row[5]), {}, {}};
    for (const auto& other : cells(row[4], ' '))
      if (!other.empty())
        flow.after.push_back(std::stoi(other));
    flows.push_back(flow);
  }
  for (int flow = 0; flow < static_cast<int>(flows.size()); flow++)
    for (int other : flows[flow].after)
      flows[other].waiters.push_back(flow);

#if SIMGRID_VERSION >= 40000
  auto* zone = engine.get_netzone_root()->add_netzone_full("fabric");
  auto make_link = [&](const std::string& name, double capacity) { return zone->add_link(name, capacity)->set_latency(0.0); };
  auto make_host = [&](const std::string& name) { return zone->add_host(name, 1e9); };
#else
  auto* zone = sg4::create_full_zone("fabric");
  auto make_link = [&](const std::string& name, double capacity) { return zone->create_link(name, capacity)->set_latency(0.0)->seal(); };
  auto make_host = [&](const std::string& name) { return zone->create_host(name, 1e9)->seal(); };
#endif
  auto links = [&](const std::string& name, int count, double capacity) {
    std::vector<const sg4::Link*> made;
    for (int i = 0; i < count; i++)
      made.push_back(make_link(name + std::to_string(i), capacity));
    return made;
  };
  std::vector<sg4::Host*> host;
  for (int i = 0; i < chips; i++)
    host.push_back(make_host("chip" + std::to_string(i)));
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
#if SIMGRID_VERSION >= 40000
      zone->add_route(host[source], host[to], route, false);
#else
      zone->add_route(host[source]->get_netpoint(), host[to]->get_netpoint(), nullptr, nullptr, route, false);
#endif
    }
  zone->seal();

  std::vector<sg4::SemaphorePtr> ready;
  for (const auto& flow : flows) {
    (void)flow;
    ready.push_back(sg4::Semaphore::create(0));
  }
  for (size_t number = 0; number < flows.size(); number++) {
    auto actor = [&, number]() {
      auto& flow = flows[number];
      for (size_t i = 0; i < flow.after.size(); i++)
        ready[number]->acquire();
      if (sg4::Engine::get_clock() < flow.start)
        sg4::this_actor::sleep_until(flow.start);
      flow.began = sg4::Engine::get_clock();
      // A mailbox for each flow, since SimGrid 3.32 forgets the rate of a transfer without one.
      auto comm = sg4::Mailbox::by_name(std::to_string(number))->put_init(&flow, static_cast<uint64_t>(flow.bytes));
      if (flow.cap > 0)
        comm->set_rate(flow.cap);
      comm->wait();
      flow.end = sg4::Engine::get_clock();
      for (int waiter : flow.waiters)
        ready[waiter]->release();
    };
    auto receiver = [number]() { sg4::Mailbox::by_name(std::to_string(number))->get<Flow>(); };
#if SIMGRID_VERSION >= 40000
    host[flows[number].src]->add_actor("flow" + std::to_string(number), actor);
    host[flows[number].dst]->add_actor("end" + std::to_string(number), receiver);
#else
    sg4::Actor::create("flow" + std::to_string(number), host[flows[number].src], actor);
    sg4::Actor::create("end" + std::to_string(number), host[flows[number].dst], receiver);
#endif
  }
  engine.run();
  std::printf("flow,start_s,end_s\n");
  for (size_t number = 0; number < flows.size(); number++)
    std::printf("%zu,%.17g,%.17g\n", number, flows[number].began, flows[number].end);
}
