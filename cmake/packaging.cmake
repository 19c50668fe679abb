# What is installed beside the program, and the Debian package.
#
#   cmake --install build/release                 under the prefix, with DESTDIR if wanted
#   deploy/debian/build.sh                        the package: configured for /usr, then cpack
include(GNUInstallDirs)

set(CUBBY_CONFIG_FOLDER ${CMAKE_INSTALL_FULL_SYSCONFDIR}/cubby)
set(CUBBY_DOCUMENTS ${CMAKE_BINARY_DIR}/documents)

# The manual page asks the program for its settings, so the program must run here and say nothing else.
if(NOT CUBBY_SANITIZE AND NOT CUBBY_COVERAGE AND NOT CMAKE_CROSSCOMPILING)
  set(man ${PROJECT_SOURCE_DIR}/deploy/man)
  set(changelog ${PROJECT_SOURCE_DIR}/deploy/debian/changelog)
  add_custom_command(
    OUTPUT ${CUBBY_DOCUMENTS}/cubby.1.gz ${CUBBY_DOCUMENTS}/changelog.gz
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CUBBY_DOCUMENTS}
    COMMAND ${man}/make.sh $<TARGET_FILE:cubby> ${PROJECT_VERSION} ${CUBBY_CONFIG_FOLDER} > ${CUBBY_DOCUMENTS}/cubby.1
    COMMAND gzip -9nf ${CUBBY_DOCUMENTS}/cubby.1
    COMMAND gzip -9nc ${changelog} > ${CUBBY_DOCUMENTS}/changelog.gz
    DEPENDS cubby ${man}/make.sh ${man}/cubby.1.in ${changelog}
    VERBATIM)
  add_custom_target(cubby_documents ALL DEPENDS ${CUBBY_DOCUMENTS}/cubby.1.gz ${CUBBY_DOCUMENTS}/changelog.gz)

  configure_file(${PROJECT_SOURCE_DIR}/deploy/systemd/cubby.service.in ${CUBBY_DOCUMENTS}/cubby.service @ONLY)
  install(FILES ${CUBBY_DOCUMENTS}/cubby.service DESTINATION lib/systemd/system)
  install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/cubby.env DESTINATION ${CUBBY_CONFIG_FOLDER}
    PERMISSIONS OWNER_READ OWNER_WRITE)
  install(FILES ${CUBBY_DOCUMENTS}/cubby.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${PROJECT_SOURCE_DIR}/deploy/completion/cubby.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME cubby)
  install(FILES ${CUBBY_DOCUMENTS}/changelog.gz ${PROJECT_SOURCE_DIR}/deploy/debian/copyright
    DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/cubby)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME cubby)
set(CPACK_PACKAGE_VENDOR "the authors of Cubby")
set(CPACK_PACKAGE_CONTACT "Cubby maintainers <cubby@cubby.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "HTTP cache service in front of memory, Redis or Memcached")
set(CPACK_PACKAGE_DESCRIPTION
  "A cache that any service can call over HTTP/1.1. One interface with one set of\nrules - times to live, namespaces, atomic updates, counters, rate limits,\nlocks - in front of the process's own memory, Redis or Memcached.")
# Files of /etc have absolute destinations, so the tree is installed with DESTDIR under its own prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# libmemcached loads its SASL mechanisms only when a password is set.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "init-system-helpers (>= 1.54)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, libsasl2-modules, procps")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-server, memcached")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(control ${PROJECT_SOURCE_DIR}/deploy/debian)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${control}/conffiles ${control}/postinst ${control}/prerm ${control}/postrm)
include(CPack)
