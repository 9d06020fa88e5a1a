#include "app/roles.h"

#include "api/api_role.h"
#include "balancer/balancer_role.h"
#include "cache_node/cache_node_role.h"
#include "http_cache/http_cache_role.h"
#include "web/web_role.h"

namespace tribune::app {

const std::vector<runtime::RoleType>& role_types() {
  static const std::vector<runtime::RoleType> types{
      balancer::role_type(), cache_node::role_type(), api::role_type(), web::role_type(), http_cache::role_type(),
  };
  return types;
}

}  // namespace tribune::app
