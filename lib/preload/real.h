// SPDX-License-Identifier: Apache-2.0
// The functions behind those that this library stands in front of. Null before its constructor ran.
#pragma once

#include <pthread.h>

namespace mpol::preload {

using PthreadCreate = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
[[nodiscard]] PthreadCreate* real_pthread_create();

}  // namespace mpol::preload
